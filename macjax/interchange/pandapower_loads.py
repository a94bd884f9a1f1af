"""Feeder loads as profiles for pandapower's time series: MW by time step and load.

    loads = to_pandapower(solution, buses={"F1": 4, "F2": 7})
    loads.add_to(net)                       # loads and controllers, needs pandapower
    pandapower.timeseries.run_timeseries(net, time_steps=loads.p_mw.index)

Columns are whole numbers, as one `ConstControl` of several elements wants them.
"""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd

from macjax._errors import MacjaxError, SettingsError
from macjax.interchange.export_folder import iso_times, write_export
from macjax.interchange.feeder_power import feeder_power, places_of

KW_PER_MW = 1000.0
VARIABLES = ("p_mw", "q_mvar")
WORDS = [
    "loads.csv: a row a load: number, feeder_id, name, bus, peak_mw [MW]",
    "p_mw.csv, q_mvar.csv: a row a time step, a column a row of loads.csv [MW, Mvar]",
    "    frame = pandas.read_csv('p_mw.csv', index_col='step') has text as columns;",
    "    pandapower's DFData(frame, multi=True) makes them the numbers that it wants",
    "times.csv: start of each time step",
    "controls.json: arguments of pandapower.control.ConstControl; `element_index` are",
    "    numbers of loads.csv, to be replaced by the indices of the loads in the net",
]


@dataclasses.dataclass(frozen=True)
class PandapowerLoads:
    """Loads of feeders and their profiles.

    Arguments:
        loads: a row a load, by number: feeder_id, name, bus (missing where none was
            given), peak_mw [MW].
        p_mw: active power, a row a time step, a column a number of `loads` [MW].
        q_mvar: reactive power, likewise [Mvar].
        times: start of each time step, in the scenario's timezone.
        solution: what was exported.
    """

    loads: pd.DataFrame
    p_mw: pd.DataFrame
    q_mvar: pd.DataFrame
    times: pd.DatetimeIndex
    solution: object = dataclasses.field(repr=False, compare=False)

    def controls(self, element_index=None) -> list[dict]:
        """Arguments of pandapower's `ConstControl`, one dict for P and one for Q.

        `net` and `data_source` are yours: `DFData(p_mw)` for the variable p_mw,
        `DFData(q_mvar)` for q_mvar.

        Arguments:
            element_index: index of each load in `net.load`; None is its number here.
        """
        numbers = self.loads.index.tolist()
        index = numbers if element_index is None else [int(i) for i in element_index]
        if len(index) != len(numbers):
            raise SettingsError(
                f"element_index: {len(index)} given for {len(numbers)} loads"
            )
        return [
            {
                "element": "load",
                "variable": variable,
                "element_index": index,
                "profile_name": numbers,
            }
            for variable in VARIABLES
        ]

    def add_to(self, net) -> list[int]:
        """Add the loads to a pandapower net, each controlled by its profile.

        Arguments:
            net: a pandapower net; every load must have a bus of it.

        Returns:
            Indices of the loads in `net.load`, in the order of `loads`. Needs
            pandapower, of the extra `pandapower`.
        """
        try:
            import pandapower  # type: ignore[import-not-found]
            from pandapower.control import ConstControl  # type: ignore
            from pandapower.timeseries import DFData  # type: ignore
        except ImportError as error:
            raise MacjaxError(
                "this needs pandapower, which is not installed: "
                "pip install 'macjax[pandapower]'"
            ) from error
        known = self.loads["bus"].isin(net.bus.index)
        if not known.all():
            missing = self.loads["feeder_id"][~known]
            raise SettingsError(
                f"{len(missing)} loads have no bus of the net, the first is that of "
                f"feeder {missing.iloc[0]}: give buses= to to_pandapower"
            )
        index = pandapower.create_loads(
            net,
            buses=self.loads["bus"].astype(int).tolist(),
            p_mw=self.p_mw.iloc[0].to_numpy(),
            q_mvar=self.q_mvar.iloc[0].to_numpy(),
            name=self.loads["name"].tolist(),
        )
        index = [int(i) for i in index]
        for control in self.controls(index):
            frame = getattr(self, control["variable"])
            ConstControl(net, data_source=DFData(frame), **control)
        return index

    def write(self, folder: str | os.PathLike) -> Path:
        """Write loads, profiles, times and controls as CSV and JSON; returns the path.

        Arguments:
            folder: new, empty, or that of a former export, which is replaced.
        """

        def fill(place: Path) -> None:
            self.loads.to_csv(place / "loads.csv", index_label="number")
            for name in VARIABLES:
                getattr(self, name).to_csv(place / f"{name}.csv", index_label="step")
            times = pd.DataFrame({"time": iso_times(self.times)})
            times.to_csv(place / "times.csv", index_label="step")
            text = json.dumps(self.controls(), indent=1)
            (place / "controls.json").write_text(text + "\n", encoding="utf-8")

        return write_export(folder, "pandapower", self.solution, WORDS, fill)


def to_pandapower(
    solution, *, power: str = "ev", buses=None, power_factor: float = 1.0
) -> PandapowerLoads:
    """Feeder loads as profiles for pandapower: a data frame of time x element.

    Arguments:
        solution: a `Solution` with a schedule.
        power: `ev`, the vehicles alone, `base`, or `total`, both.
        buses: a mapping or Series from feeder_id to the index of a bus, or a frame with
            feeder_id and bus; feeders that it does not name are left out. None keeps
            all, without a bus.
        power_factor: active over apparent power, in (0, 1].
    """
    given = feeder_power(solution, power, power_factor)
    places = places_of(given.feeder_id, buses)
    kept = places["bus"].notna().to_numpy(bool)
    kept = kept if buses is not None else np.ones(len(kept), bool)
    chosen = np.flatnonzero(kept)
    kw, kvar = given.kw[chosen], given.kvar[chosen]
    loads = pd.DataFrame(
        {
            "feeder_id": given.feeder_id.array.take(chosen),
            "name": [given.names[i] for i in chosen],
            "bus": places["bus"].to_numpy(object)[chosen],
            "peak_mw": kw.max(axis=1, initial=0.0) / KW_PER_MW,
        }
    )
    return PandapowerLoads(
        loads=loads,
        p_mw=pd.DataFrame(kw.T / KW_PER_MW),
        q_mvar=pd.DataFrame(kvar.T / KW_PER_MW),
        times=given.times,
        solution=solution,
    )
