"""The kinds of synthetic fleets: one frozen record of numbers for each.

Nothing here computes. `chains` reads the shares and habits, `headroom` the feeder
numbers, and `generate` puts them together. Shares are probabilities in [0, 1].
"""

import dataclasses

# Mean load shape of a feeder at hours 0-23 (PG&E load integration data, 259 feeders;
# Elmallah, Brockway, Callaway 2022, doi 10.1088/2634-4505/ac949c), peak = 1.
RESIDENTIAL_SHAPE = (
    0.702, 0.647, 0.613, 0.594, 0.589, 0.603, 0.653, 0.734,
    0.786, 0.777, 0.758, 0.744, 0.737, 0.746, 0.769, 0.800,
    0.843, 0.902, 0.964, 1.000, 0.990, 0.952, 0.882, 0.786,
)  # fmt: skip
# A daytime (office) shape, modelled.
COMMERCIAL_SHAPE = (
    0.45, 0.43, 0.42, 0.42, 0.44, 0.50, 0.60, 0.74,
    0.87, 0.95, 0.98, 1.00, 0.99, 1.00, 0.99, 0.97,
    0.92, 0.85, 0.74, 0.66, 0.60, 0.55, 0.50, 0.47,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The numbers of one kind of fleet.

    Arguments:
        evs_per_feeder: default fleet size over number of feeders.
        cost: lowest and highest upgrade cost [currency/kW], log-uniform between.
        fill: lowest and highest ratio, over the feeders, of the energy that fits
            under the capacity to the energy that EVs take unmanaged. Near 1 the
            optimum is large, far above 1 it is zero.
        home_chargers: shares of 7.2 kW, 3.6 kW and no charger at home.
        work_charger: share of workplaces with a 6.6 kW charger.
        public_charger: share of the other stops with a 50 kW charger.
        road_trips: number of vehicles per EV that make a long trip with one short 50 kW
            stop that they cannot do without.
        rendezvous: share of those stops that meet in the slot of the feeder's event.
        busy: share of the feeders where those stops are.
        base_per_ev: peak base load over number of EVs [kW].
        hot_days: standard deviation of the base load from day to day, alike for all.
        reserve: lowest and highest reserve over battery; high ones bind every day.
        efficiency: lowest and highest charging efficiency, shares.
        slots: default horizon [slots of one hour].
    """

    evs_per_feeder: float = 50.0
    cost: tuple[float, float] = (400.0, 400.0)
    fill: tuple[float, float] = (0.8, 1.0)
    home_chargers: tuple[float, float, float] = (0.55, 0.30, 0.15)
    work_charger: float = 0.4
    public_charger: float = 0.0
    road_trips: float = 0.0
    rendezvous: float = 0.0
    busy: float = 0.5
    base_per_ev: float = 0.7
    hot_days: float = 0.02
    reserve: tuple[float, float] = (0.08, 0.2)
    efficiency: tuple[float, float] = (0.92, 0.92)
    slots: int = 168


_HARD = Recipe(
    evs_per_feeder=250.0,
    cost=(80.0, 800.0),
    fill=(0.2, 0.6),
    public_charger=0.08,
    road_trips=0.02,
    rendezvous=0.3,
    hot_days=0.15,
    reserve=(0.5, 0.9),
    efficiency=(0.88, 0.94),
)

RECIPES = {
    "easy": Recipe(),
    "hard": _HARD,
    "tight": dataclasses.replace(_HARD, fill=(0.1, 0.3)),
    "loose": dataclasses.replace(_HARD, fill=(0.6, 1.2), road_trips=0.005),
    "slack": dataclasses.replace(_HARD, fill=(2.5, 5.0), road_trips=0.0),
    "few_large": dataclasses.replace(_HARD, evs_per_feeder=2500.0),
    "many_small": dataclasses.replace(_HARD, evs_per_feeder=8.0, road_trips=0.02),
    "long": dataclasses.replace(_HARD, slots=672),
}
