"""How far a sample's answer is from that of the whole population.

A region's vehicles can be built in part, each for 1 / sample of them. Such a row moves
as one block, so that its loads are more uneven than those of many vehicles: peaks, and
upgrades with them, come out too high. Each seed draws a region anew; the same seed with
another sample draws other cars for the same feeders, so differences are taken seed by
seed:

    bias = mean over seeds of  x(sample, seed) - x(largest sample, seed),
    bias_error = sd of these differences / sqrt(seeds).
"""

import math
import os
from collections.abc import Mapping, Sequence

import pandas as pd

from macjax._errors import SettingsError
from macjax.studies.frame import COLUMNS
from macjax.studies.sweep import sweep

QUANTITIES = ("ev_peak_kw", "peak_kw", "upgrade_kw", "upgrade_cost", "avoided_percent")


def bootstrap(
    config,
    samples: Sequence[float] = (0.05, 0.1, 0.2, 0.5, 1.0),
    seeds: Sequence[int] = (1, 2, 3),
    methods: Sequence[str] | None = None,
    out: str | os.PathLike | None = None,
    quantities: Sequence[str] = QUANTITIES,
    **settings,
) -> pd.DataFrame:
    """Mean, spread and bias of a region's answer by the share of it that is built.

        >>> macjax.studies.bootstrap("configs/napa_county.toml", samples=[0.05, 0.2, 1])

    A `sweep` over `sample` and `seed`, then `sampling_bias`.

    Arguments:
        config: of a region, as `sweep` takes it.
        samples: shares of the electric cars; the largest one is what others are
            measured against.
        seeds: of the random draws.
        methods, out, settings: as in `sweep`; `out` also lets it go on after an
            interruption.
        quantities: columns of the frame of `sweep` that are looked at.

    Returns:
        The frame of `sampling_bias`.
    """
    over: Mapping = {"sample": samples, "seed": seeds}
    frame = sweep(config, over=over, methods=methods, out=out, **settings)
    return sampling_bias(frame, quantities)


def sampling_bias(
    frame: pd.DataFrame, quantities: Sequence[str] = QUANTITIES
) -> pd.DataFrame:
    """Mean, spread and bias of a sweep over `sample` and `seed`.

    Arguments:
        frame: what `sweep` returned; it may vary other things too, which are kept
            apart.
        quantities: columns of the frame.

    Returns:
        A row for each method (and whatever else varies), quantity and sample: seeds
        (how many have a number), mean, sd (over the seeds), least, most; and against
        the largest sample seed by seed, for the seeds that both have: bias,
        bias_error (its standard error), bias_percent (of the largest sample's mean).
        NaN where there are too few seeds, and for the largest sample itself.
    """
    wanted = ["sample", "seed", *quantities]
    if missing := [name for name in wanted if name not in frame.columns]:
        raise SettingsError(
            f"sampling_bias needs the column '{missing[0]}'; the frame of a sweep over "
            "'sample' and 'seed' has what it needs"
        )
    other = [c for c in frame.columns if c not in (*COLUMNS, "sample", "seed")]
    keys = [*other, "method", "quantity"]
    names = [*other, "method", "sample", "seed"]
    long = frame.melt(names, list(quantities), "quantity", "value").dropna(
        subset=["value"]
    )
    largest = frame["sample"].max()
    whole = long[long["sample"] == largest].drop(columns="sample")
    long = long.merge(whole, "left", [*keys, "seed"], suffixes=("", "_whole"))
    long["difference"] = (long["value"] - long["value_whole"]).where(
        long["sample"] < largest
    )
    groups = long.groupby([*keys, "sample"], sort=False)
    value, difference = groups["value"], groups["difference"]
    table = pd.DataFrame(
        {
            "seeds": value.count(),
            "mean": value.mean(),
            "sd": value.std(),
            "least": value.min(),
            "most": value.max(),
            "bias": difference.mean(),
            "bias_error": difference.std() / difference.count().pow(0.5),
        }
    ).reset_index()
    reference = table[table["sample"] == largest][[*keys, "mean"]]
    reference = reference.rename(columns={"mean": "reference"})
    table = table.merge(reference, "left", keys)
    table["bias_percent"] = (100 * table["bias"] / table["reference"]).where(
        table["reference"].abs() > 0, math.nan
    )
    return table.drop(columns="reference")
