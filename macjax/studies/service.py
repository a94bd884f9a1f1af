"""A region's cars at home on service transformers in place of feeders.

A feeder of a region stands for thousands of customers, whose cars even each other out.
A service transformer has a handful: some have no electric car, some have several. Each
transformer k with c_k customers gets

    n_k ~ Poisson(c_k r),   r = cars that charge at home / households of the region,

cars, drawn among those of the region that charge at home, each row as one car, whatever
its weight. Their stays at home are on the transformer; all others are on no feeder,
free to charge.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers import Imported
from macjax.scenario.scenario import Scenario

HOME = "home"
SHOWN = 10


def on_service_transformers(
    scenario: Scenario,
    network: Imported,
    customers: Mapping | pd.Series,
    cars_per_customer: float | None = None,
    seed: int = 0,
) -> Scenario:
    """Some of a region's cars on the transformers of a circuit.

        >>> street = importers.opendss(["transformers.csv", "loads.csv"])
        >>> few = on_service_transformers(region, street, customers={"t1": 4})

    Arguments:
        scenario: made by `regions.build`: its stays have `place`, its feeders
            `households`.
        network: transformers with their base load, such as `importers.opendss` gives.
        customers: households of each transformer by its feeder_id; 0 for those that
            are not named.
        cars_per_customer: number r above; None takes it from the scenario, weights
            counted.
        seed: of the draws.

    Returns:
        A scenario with the transformers as feeders.

    Raises:
        SettingsError: a column is missing, customers name unknown transformers, or
            there are fewer cars than are drawn.
    """
    households = _households(network, customers)
    at_home, pool = _cars_at_home(scenario)
    rate = cars_per_customer
    if rate is None:
        rate = cars_at_home_per_household(scenario)
    if not 0 < rate < np.inf:
        raise SettingsError(f"cars_per_customer must be above 0, not {rate!r}")
    random = np.random.default_rng(seed)
    counts = random.poisson(rate * households.to_numpy(np.float64))
    if counts.sum() > len(pool):
        raise SettingsError(
            f"{counts.sum()} cars are drawn and {len(pool)} of the scenario charge at "
            "home; build more of the region (sample=, counties=)"
        )
    chosen = random.permutation(pool)[: counts.sum()]
    transformer = np.repeat(households.index.to_numpy(object), counts)
    return _assembled(scenario, network, chosen, transformer, at_home)


def cars_at_home_per_household(scenario: Scenario) -> float:
    """Cars that charge at home for each household of a region, weights counted.

    Arguments:
        scenario: of `macjax.regions.build`.

    Raises:
        SettingsError: the stays have no `place`, or the feeders no `households`.
    """
    feeders = scenario.feeders
    if "households" not in feeders.columns:
        raise SettingsError(
            "the feeders have no column 'households'; give cars_per_customer"
        )
    _, pool = _cars_at_home(scenario)
    weight = scenario.vehicles["weight"].to_numpy(np.float64)[pool]
    return float(weight.sum() / max(feeders["households"].sum(), 1.0))


def _households(network: Imported, customers) -> pd.Series:
    """Households of each transformer, in the order of the feeders."""
    if network.feeders is None or network.feeder_profile is None:
        raise SettingsError(f"'{network.name}' has no transformers")
    ids = pd.Index(network.feeders["feeder_id"])
    given = pd.Series(customers, dtype=np.float64)
    unknown = given.index.difference(ids)
    if len(unknown):
        some = ", ".join(str(i) for i in unknown[:SHOWN])
        raise SettingsError(f"customers: {len(unknown)} are no transformers: {some}")
    found = given.reindex(ids).fillna(0.0)
    if not (np.isfinite(found) & (found >= 0)).all():
        raise SettingsError("customers must be numbers of at least 0")
    return found


def _cars_at_home(scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """Stays at a charger at home, and rows of the vehicles with one on a feeder."""
    stays = scenario.stays
    if "place" not in stays.columns:
        raise SettingsError("the stays have no column 'place' that says who is at home")
    is_home = (stays["place"] == HOME).fillna(False).to_numpy(bool)
    at_home = is_home & (stays["charger_kw"] > 0).to_numpy(bool)
    served = at_home & stays["feeder_id"].notna().to_numpy(bool)
    ids = pd.Index(scenario.vehicles["vehicle_id"])
    pool = np.unique(ids.get_indexer(stays["vehicle_id"][served]))
    return at_home, pool


def _assembled(scenario, network, chosen, transformer, at_home) -> Scenario:
    """The scenario of the chosen cars."""
    keys = scenario.vehicles["vehicle_id"].iloc[chosen]
    where = pd.Series(transformer, index=pd.Index(keys), dtype=object)
    vehicles, stays = scenario.vehicles, scenario.stays
    kept = stays["vehicle_id"].isin(where.index)
    feeder = stays["vehicle_id"].map(where).where(at_home, None)
    trips = scenario.trips
    return scenario.with_tables(
        name=f"{scenario.name}, on {network.name}",
        vehicles=vehicles.iloc[np.sort(chosen)].assign(weight=1.0),
        stays=stays.assign(feeder_id=feeder.astype(object))[kept],
        trips=trips[trips["vehicle_id"].isin(where.index)],
        feeders=network.feeders,
        feeder_profile=network.feeder_profile,
    )
