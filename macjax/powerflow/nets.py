"""The network model: a net of pandapower as given, or a SimBench grid by its code.

SimBench's grids are made available under the Open Database License 1.0, their contents
under the Database Contents License 1.0 (Meinecke et al., SimBench - A Benchmark Dataset
of Electric Power Systems, Energies 13(12), 2020). They come with the package simbench
and are not part of macjax.
"""

import pandas as pd

from macjax._errors import DataError, Fault, MacjaxError, SettingsError, nearest

DEFAULT = "1-MV-urban--0-sw"
NEEDED = {
    "bus": ("vn_kv",),
    "line": ("from_bus", "to_bus", "length_km", "r_ohm_per_km", "x_ohm_per_km")
    + ("c_nf_per_km", "max_i_ka"),
    "load": ("bus", "p_mw", "q_mvar"),
    "ext_grid": ("bus",),
}
LICENCE = (
    "Grid: SimBench {code}, Open Database License 1.0, contents Database Contents "
    "License 1.0; attribution Meinecke et al. 2020."
)


def require_pandapower():
    """The package pandapower, or an error that names the extra to install."""
    try:
        import pandapower  # type: ignore[import-not-found]
    except ImportError as error:
        raise MacjaxError(_missing("pandapower")) from error
    return pandapower


def read_net(net):
    """A net and where it is from: the net given, or a SimBench grid by its code.

    Arguments:
        net: a pandapower net, which is not changed, or a code such as
            `1-MV-urban--0-sw`.

    Raises:
        SettingsError: it is neither, or SimBench has no such grid.
        DataError: a table or a column that is needed is not in the net.
        MacjaxError: SimBench is asked for and not installed.
    """
    if isinstance(net, str):
        found, source = _simbench(net), LICENCE.format(code=net)
    else:
        found, source = net, "Grid: a net of the user's own."
    if not hasattr(found, "keys") or "bus" not in found:
        raise SettingsError(
            "net must be a pandapower net or the code of a SimBench grid, such as "
            f"'{DEFAULT}'; got {type(net).__name__}"
        )
    faults = [fault for name in NEEDED for fault in _faults(found, name)]
    if faults:
        raise DataError(faults, title="wrong pandapower net")
    return found, source


def _simbench(code: str):
    try:
        import simbench  # type: ignore[import-not-found]
    except ImportError as error:
        raise MacjaxError(_missing("simbench")) from error
    codes = simbench.collect_all_simbench_codes()
    if code not in codes:
        raise SettingsError(f"SimBench has no grid '{code}'; {nearest(code, codes)}")
    return simbench.get_simbench_net(code)


def _missing(package: str) -> str:
    return (
        f"the power-flow check needs {package}, which is not installed: "
        "pip install 'macjax[powerflow]'"
    )


def _faults(net, name: str) -> list[Fault]:
    """What is wrong with one table of a net."""
    frame = net.get(name)
    if not isinstance(frame, pd.DataFrame):
        return [Fault(f"net.{name}", "table", "the net has no such table")]
    rule = "the column is missing"
    faults = [
        Fault(f"net.{name}", c, rule) for c in NEEDED[name] if c not in frame.columns
    ]
    if not frame.index.is_unique:
        again = frame.index[frame.index.duplicated()]
        rule = "element numbers repeat"
        faults.append(Fault(f"net.{name}", "index", rule, len(again), tuple(again)))
    return faults
