"""How far samples are from the whole: by hand, by simulation, and on a region."""

import numpy as np
import pandas as pd
import pytest

import macjax
from macjax import SettingsError
from macjax.studies import bootstrap, sampling_bias


def frame_of(values: dict, method="mac", **more) -> pd.DataFrame:
    """A frame as `sweep` gives it, of upgrades by (sample, seed)."""
    rows = [(*key, method, value) for key, value in values.items()]
    names = ["sample", "seed", "method", "upgrade_kw"]
    return pd.DataFrame(rows, columns=names).assign(**more)


def table_of(frame, **keys):
    table = sampling_bias(frame, ["upgrade_kw"])
    for name, value in keys.items():
        table = table[table[name] == value]
    return table.set_index("sample")


def test_differences_are_taken_seed_by_seed():
    """Seeds that differ by much, samples by 3 and 5: the bias is 4 and its error 1."""
    values = {(1.0, 1): 100.0, (1.0, 2): 900.0, (0.1, 1): 103.0, (0.1, 2): 905.0}
    table = table_of(frame_of(values))
    part, whole = table.loc[0.1], table.loc[1.0]
    assert (part["bias"], part["bias_error"], part["bias_percent"]) == (4.0, 1.0, 0.8)
    assert (part["mean"], part["least"], part["most"]) == (504.0, 103.0, 905.0)
    assert part["sd"] == pytest.approx(802 / np.sqrt(2))
    assert whole[["bias", "bias_error", "bias_percent"]].isna().all()
    assert (part["seeds"], whole["seeds"]) == (2, 2)


def test_seeds_without_a_number_are_left_out():
    values = {(1.0, 1): 10.0, (1.0, 2): np.nan, (0.1, 1): 12.0, (0.1, 2): 50.0}
    part = table_of(frame_of(values)).loc[0.1]
    assert part["bias"] == 2.0 and np.isnan(part["bias_error"])
    assert part["seeds"] == 2


def test_methods_and_what_else_varies_are_kept_apart():
    values = {(1.0, 1): 10.0, (0.1, 1): 11.0}
    frame = pd.concat(
        [
            frame_of(values, adoption=0.1),
            frame_of({k: 3 * v for k, v in values.items()}, adoption=0.3),
            frame_of({k: 5 * v for k, v in values.items()}, "unmanaged", adoption=0.3),
        ]
    )
    assert table_of(frame, adoption=0.1).loc[0.1, "bias"] == 1.0
    assert table_of(frame, adoption=0.3, method="mac").loc[0.1, "bias"] == 3.0
    assert table_of(frame, method="unmanaged").loc[0.1, "bias"] == 5.0
    assert set(sampling_bias(frame, ["upgrade_kw"])["bias_percent"].dropna()) == {10.0}


def test_an_upgrade_of_nothing_has_no_percent():
    part = table_of(frame_of({(1.0, 1): 0.0, (0.1, 1): 2.0})).loc[0.1]
    assert part["bias"] == 2.0 and np.isnan(part["bias_percent"])


def test_the_peak_of_blocks_is_biased_as_probability_has_it():
    """Loads of a feeder in T slots from N cars, or from N / w rows of weight w.

    The sum of independent cars has sd s sqrt(N); of rows s sqrt(N w). The expected
    largest of T normal numbers is m_T sd above the mean, so the bias of the peak is
    m_T s sqrt(N) (sqrt(w) - 1).
    """
    rng = np.random.default_rng(7)
    cars, slots, weight, seeds = 20_000, 50, 20, 400
    values = {}
    for seed in range(seeds):
        whole = rng.binomial(cars, 0.3, slots)
        part = weight * rng.binomial(cars // weight, 0.3, slots)
        values |= {(1.0, seed): whole.max(), (1 / weight, seed): part.max()}
    part = table_of(frame_of(values)).loc[1 / weight]
    highest = rng.standard_normal((20_000, slots)).max(axis=1).mean()
    expected = highest * np.sqrt(0.21 * cars) * (np.sqrt(weight) - 1)
    assert abs(part["bias"] - expected) < 4 * part["bias_error"]


def test_a_frame_of_another_sweep_is_refused():
    with pytest.raises(SettingsError, match="'seed'"):
        sampling_bias(frame_of({(1.0, 1): 1.0}).drop(columns="seed"), ["upgrade_kw"])
    with pytest.raises(SettingsError, match="'upgrade'"):
        sampling_bias(frame_of({(1.0, 1): 1.0}), ["upgrade"])


def test_a_region_is_sampled_and_weighted(tmp_path):
    """The same feeders and about the same energy, by rows that weigh more."""
    config = {"counties": ["napa"], "days": 1}
    samples, seeds = [0.02, 0.1], [1, 2]
    out = tmp_path / "out"
    table = bootstrap(config, samples, seeds, ["unmanaged"], out)
    over = {"sample": samples, "seed": seeds}
    frame = macjax.sweep(config, over, ["unmanaged"], out)
    pd.testing.assert_frame_equal(sampling_bias(frame), table)
    assert set(table["quantity"]) >= {"ev_peak_kw", "upgrade_kw"}
    assert frame["feeders"].nunique() == 1
    by_sample = frame.groupby("sample")
    weights, rows = by_sample["vehicles_weighted"], by_sample["vehicles"]
    assert weights.mean()[0.02] == pytest.approx(weights.mean()[0.1], rel=0.05)
    assert rows.mean()[0.1] == pytest.approx(5 * rows.mean()[0.02], rel=0.05)
    energy = by_sample["energy_kwh"].mean()
    assert energy[0.02] == pytest.approx(energy[0.1], rel=0.15)
    peak = table[table["quantity"] == "ev_peak_kw"].set_index("sample")
    assert peak.loc[0.02, "bias_percent"] > 10  # a row of 50 cars at a time
