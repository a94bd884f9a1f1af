"""Power flow of the worst slots of schedules on a real network model.

A capacity in kW does not know where along a feeder the load is, what the voltage does
there, or which line behind the first one is thin. Here each feeder of the scenario
takes the place of one feeder of a net, loaded to the same share of its rating; see
`loading` for the scale, `mapping` for the places, `slots` for the choice of slots.
"""

import numpy as np
import pandas as pd

from macjax.powerflow.cases import Case, named_solutions, read_cases
from macjax.powerflow.feeders import find_feeders
from macjax.powerflow.flow import Model
from macjax.powerflow.loading import Uses, spread_weights
from macjax.powerflow.mapping import choose, place
from macjax.powerflow.nets import DEFAULT, read_net, require_pandapower
from macjax.powerflow.progress import Progress
from macjax.powerflow.readings import tightest, voltage_band
from macjax.powerflow.result import EXISTING, REINFORCED, PowerFlow
from macjax.powerflow.settings import Settings, check_settings
from macjax.powerflow.slots import named_slots
from macjax.powerflow.substation import Study, count_flows, rows_of, station_of
from macjax.results.tables import local_times


def check(
    solutions,
    net=DEFAULT,
    *,
    slots=None,
    worst: int = 1,
    feeders=None,
    mapping=None,
    ev_spread="nominal",
    power_factor: float = 0.95,
    ev_power_factor: float = 0.98,
    planning_share: float = 1.0,
    others: float | None = None,
    reinforce: str = "head",
    busbar_pu: float | None = None,
    voltage_band_pu=None,
    progress=None,
) -> PowerFlow:
    """Power flow of the worst slots of solutions, and of the base load alone there.

    Arguments:
        solutions: a `Solution`, a list, or a dict by label, all of one scenario.
        net: a pandapower net, which is not changed, or the code of a SimBench grid.
        slots: numbers or starts of slots; None takes for each copy of the net the
            `worst` fullest slots of its feeders and of their sum, in any case.
        worst: how many slots that is for each feeder and for the sum.
        feeders: ids of the feeders to look at; None is all that feed no others.
        mapping: dict from feeder_id to the name of a feeder of the net (see
            `mv_feeders`), or to buses of one whose loads carry it; feeders that it does
            not name are not looked at. None maps by size.
        ev_spread: EV load over the loads of a feeder: `nominal`, in proportion to the
            net's own, as base load always is; `equal`; or weights by load number.
        power_factor, ev_power_factor: active over apparent power of base and EV load,
            inductive; assumed.
        planning_share: share of the head lines' rating that the capacity stands for;
            0.5 where every feeder keeps room for a neighbour.
        others: ratio of load to capacity of feeders of the net that stand for none;
            None is the mean of those in the same copy.
        reinforce: what grows by (capacity + upgrade) / capacity in rows with lines
            `reinforced`: `head` lines, all of the `feeder`, or `none`: no such rows.
        busbar_pu: set point of the tap changers above the busbar [pu]; None takes the
            net's own (SimBench), or leaves its taps alone.
        voltage_band_pu: (low, high) [pu]; None takes the net's, else 0.95 to 1.05.
        progress: True prints to stderr, False does not, None does on a terminal; a
            callable takes a dict with flows, of, seconds.

    A flow that does not converge gives rows with a `reason`. Wrong settings, solutions
    and nets raise SettingsError, SolutionError and DataError.
    """
    return _run(**locals())


def _run(solutions, net, slots, feeders, mapping, **given) -> PowerFlow:
    """`check`, its settings by name."""
    settings = check_settings(**given)
    named = named_solutions(solutions)
    scenario = next(iter(named.values())).scenario
    chosen, notes = choose(scenario.feeders, feeders, mapping)
    wanted = None if slots is None else named_slots(slots, scenario)
    require_pandapower()
    net, source = read_net(net)
    grid = find_feeders(net)
    band = voltage_band(net, settings.voltage_band_pu)
    table = scenario.feeders.iloc[chosen].reset_index(drop=True)
    table["peak_base_kw"] = scenario.capacity_base()[1][chosen].max(axis=1)
    model = Model(net, settings.busbar_pu, grid.above)
    ids = table["feeder_id"].tolist()
    study = Study(
        net,
        grid,
        band,
        model,
        settings,
        place(net, grid, ids, table["peak_base_kw"].to_numpy(), mapping),
        [_of_chosen(case, chosen) for case in read_cases(named)],
        spread_weights(settings.ev_spread, grid.nominal_mw, net["load"].index),
    )
    rows = _rows(study, scenario, table["feeder_id"], wanted)
    notes = [source, *grid.notes, *model.notes, *notes, *_assumptions(settings)]
    return PowerFlow(
        rows=rows,
        balance=_balance(study.cases, table["feeder_id"], settings.reinforce),
        places=_places(study, table),
        band_pu=tightest(band, grid),
        settings=settings.told(),
        assumptions=notes,
    )


def _of_chosen(case: Case, chosen: np.ndarray) -> Case:
    """The case of the chosen feeders alone."""
    growth = None if case.growth is None else case.growth[chosen]
    if growth is not None and not (growth > 1.0).any():
        growth = None
    uses = Uses(case.uses.base[chosen], case.uses.ev[chosen])
    return Case(case.method, uses, growth, case.within[chosen])


def _rows(study: Study, scenario, ids: pd.Series, wanted) -> pd.DataFrame:
    """The rows of all substations, with times and ids."""
    numbers = np.unique(study.places.substation)
    stations = [station_of(study, int(n), wanted) for n in numbers]
    tell = Progress(
        study.settings.progress, sum(count_flows(study, s) for s in stations)
    )
    frame = pd.concat([rows_of(study, s, tell) for s in stations], ignore_index=True)
    times = local_times(scenario, scenario.slot_starts)
    frame.insert(2, "time", times.take(frame.pop("slot").to_numpy(np.int64)))
    frame.insert(3, "feeder_id", ids.array.take(frame.pop("feeder").to_numpy(np.int64)))
    return frame


def _balance(cases: list[Case], ids: pd.Series, reinforce: str) -> pd.DataFrame:
    """Whether each feeder is within its capacity, by method and state of the lines."""
    parts = []
    for case in cases:
        given = {"method": case.method, "lines": EXISTING, "feeder_id": ids}
        parts.append(pd.DataFrame(given | {"within_capacity": case.within}))
        if case.growth is not None and reinforce != "none":
            given |= {"lines": REINFORCED, "within_capacity": True}
            parts.append(pd.DataFrame(given))
    return pd.concat(parts, ignore_index=True)


def _places(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """Which feeder of the net stands for which feeder of the scenario."""
    places = study.places
    return pd.DataFrame(
        {
            "feeder_id": table["feeder_id"],
            "mv_feeder": [study.grid.names[m] for m in places.mv],
            "substation": places.substation + 1,
            "loads": [len(rows) for rows in places.loads],
            "peak_base_kw": table["peak_base_kw"],
            "rating_kw": 1e3 * study.rating_mw[places.mv],
        }
    )


def _assumptions(settings: Settings) -> list[str]:
    """What the numbers rest on beside the net."""
    fill = "the mean load over capacity of the others in the same copy"
    if settings.others is not None:
        fill = f"{settings.others:g} of its rating"
    grown = {
        "head": "the head lines of an upgraded feeder have",
        "feeder": "all lines of an upgraded feeder have",
        "none": "no line has",
    }[settings.reinforce]
    return [
        "Assumed: each feeder of the scenario is like the feeder of the net that "
        "stands for it; its load over capacity is the load of the head lines over "
        f"{settings.planning_share:g} of their rating, losses and voltage aside.",
        "Assumed: base load is spread over the loads of the feeder in proportion to "
        f"the net's own, EV load by '{settings.told()['ev_spread']}'; power factor "
        f"{settings.power_factor:g} of base and {settings.ev_power_factor:g} of EV "
        "load, inductive; loads are constant power, average over the slot, the same in "
        "all three phases.",
        "Assumed: the tap changers above the busbar hold their set point with any tap "
        "between their ends; without a set point taps stay as they are.",
        f"Assumed: a feeder of the net that stands for none carries {fill}.",
        f"Reinforced: {grown} (capacity + upgrade) / capacity times the conductors.",
    ]
