"""Other formats -> the tables of a scenario, with a report of what is not mapped.

    plans = importers.matsim("plans.xml.gz", start="2026-03-02")
    print(plans.report)
    scenario = plans.with_feeders(importers.opendss("Master.dss")).scenario()

Every importer takes a path, a list of paths or a folder, and keywords with defaults; it
returns an `Imported` or raises a `DataError` that names file, line and column.
"""

from macjax.importers.acn_sessions import acn as acn
from macjax.importers.activitysim_trips import activitysim as activitysim
from macjax.importers.cars import Cars as Cars
from macjax.importers.hosting_capacity_csv import hosting_capacity as hosting_capacity
from macjax.importers.matsim_plans import matsim as matsim
from macjax.importers.opendss_text import opendss as opendss
from macjax.importers.pandapower_net import pandapower as pandapower
from macjax.importers.result import Imported as Imported
from macjax.importers.simbev_events import simbev as simbev

# The formats by the name that the command `macjax import` knows them by.
FORMATS = {
    "activitysim": activitysim,
    "matsim": matsim,
    "simbev": simbev,
    "acn": acn,
    "pandapower": pandapower,
    "opendss": opendss,
    "hosting-capacity": hosting_capacity,
}
