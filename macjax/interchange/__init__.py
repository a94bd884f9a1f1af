"""Solutions for other tools: xarray and netCDF, OpenDSS, pandapower, CSV.

    macjax.interchange.to_xarray(solution)
    macjax.interchange.to_opendss(solution, "out/dss", buses={"F1": "bus12"}, kv=12.47)

Power is average kW over a slot, positive from the grid (pandapower: MW); instants are
UTC, with the scenario's timezone beside them. A solution folder itself is Parquet that
any tool reads: see docs/solutions.md.
"""

from macjax.interchange.csv_tables import to_csv as to_csv
from macjax.interchange.dataset import to_netcdf as to_netcdf
from macjax.interchange.dataset import to_xarray as to_xarray
from macjax.interchange.opendss_loads import to_opendss as to_opendss
from macjax.interchange.pandapower_loads import PandapowerLoads as PandapowerLoads
from macjax.interchange.pandapower_loads import to_pandapower as to_pandapower
