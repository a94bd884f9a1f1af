"""Cars of a region on service transformers: who is drawn, and what stays as it was."""

import numpy as np
import pandas as pd
import pytest

import macjax
from macjax import SettingsError, importers, studies

HOMES = {"T1": 40, "T2": 10}


@pytest.fixture(scope="module")
def region():
    config = {"counties": ["napa"], "days": 1}
    return macjax.regions.build(config, sample=0.02)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("street") / "street.dss"
    path.write_text(
        "New Transformer.T1 buses=(mv a) kvs=(12 0.4) kvas=(50 50)\n"
        "New Transformer.T2 buses=(mv b) kvs=(12 0.4) kvas=(25 25)\n"
        "New Load.one bus1=a kW=20\nNew Load.two bus1=b kW=5\n",
        encoding="utf-8",
    )
    found = importers.opendss(path)
    assert found.feeders["rated_kva"].tolist() == [50, 25]
    return found


def names(network):
    """Households by the ids that the import gave."""
    ids = network.feeders["feeder_id"].tolist()
    return dict(zip(ids, HOMES.values(), strict=True))


def test_each_car_is_at_home_on_one_transformer(region, network):
    few = studies.on_service_transformers(region, network, names(network), 1.5)
    assert (few.vehicles["weight"] == 1).all()
    stays = few.stays
    served = stays["feeder_id"].notna()
    assert served.any() and (stays.loc[served, "place"] == "home").all()
    assert (stays.loc[served, "charger_kw"] > 0).all()
    of_car = stays[served].groupby("vehicle_id")["feeder_id"].nunique()
    assert (of_car == 1).all() and len(of_car) == len(few.vehicles)
    elsewhere = stays[(stays["place"] == "home") & (stays["charger_kw"] > 0)]
    assert elsewhere["feeder_id"].notna().all()


def test_trips_and_batteries_are_those_of_the_region(region, network):
    few = studies.on_service_transformers(region, network, names(network), 1.0)
    ids = few.vehicles["vehicle_id"]
    assert ids.is_unique
    for table, columns in (
        ("vehicles", ["vehicle_id", "battery_kwh", "initial_kwh"]),
        ("trips", ["vehicle_id", "departure", "energy_kwh"]),
        ("stays", ["vehicle_id", "arrival", "charger_kw"]),
    ):
        whole = getattr(region, table)
        mine = whole[whole["vehicle_id"].isin(ids)][columns].reset_index(drop=True)
        own = getattr(few, table)[columns].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, mine)


def test_cars_follow_households(region, network):
    counts = []
    for seed in range(20):
        few = studies.on_service_transformers(
            region, network, names(network), 1.0, seed
        )
        stays = few.stays.dropna(subset=["feeder_id"])
        stays = stays.drop_duplicates("vehicle_id")
        of = stays["feeder_id"].astype(str).value_counts()
        counts.append([of.get(name, 0) for name in names(network)])
    mean, error = np.mean(counts, 0), np.sqrt([40 / 20, 10 / 20])
    assert (abs(mean - [40, 10]) < 4 * error).all()
    again = studies.on_service_transformers(region, network, names(network), 1.0, 19)
    assert again.fingerprint == few.fingerprint


def test_the_rate_is_that_of_the_region(region):
    rate = studies.cars_at_home_per_household(region)
    stays = region.stays
    home = stays[(stays["place"] == "home") & (stays["charger_kw"] > 0)]
    home = home.dropna(subset=["feeder_id"])
    rows = region.vehicles["vehicle_id"].isin(home["vehicle_id"])
    cars = region.vehicles.loc[rows, "weight"].sum()
    assert rate == pytest.approx(cars / region.feeders["households"].sum())


def test_what_does_not_fit_is_told(region, network):
    with pytest.raises(SettingsError, match="1 are no transformers: T9"):
        studies.on_service_transformers(region, network, {"T9": 1})
    with pytest.raises(SettingsError, match="build more"):
        studies.on_service_transformers(region, network, names(network), 1e3)
    with pytest.raises(SettingsError, match="above 0"):
        studies.on_service_transformers(region, network, names(network), 0)
    with pytest.raises(SettingsError, match="at least 0"):
        studies.on_service_transformers(region, network, {"t1": -1})
    other = macjax.synthetic.fleet(3, 24, 3, 1, seed=1)
    with pytest.raises(SettingsError, match="'place'|'households'"):
        studies.on_service_transformers(other, network, names(network))
