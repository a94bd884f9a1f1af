# %% [markdown]
# # Your own data: from CSV and pandas to a scenario
#
# A scenario is five tables: vehicles, stays, trips, feeders, and what each feeder can
# carry. Here a small town comes from pandas, is broken and mended by what the report
# says, goes to CSV and back, and takes its cars or its feeders from files of other
# tools. docs/format.md has all columns and rules.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

import macjax
from macjax import importers

work = TemporaryDirectory()  # where this notebook writes
folder = Path(work.name)
rng = np.random.default_rng(7)

# %% [markdown]
# ## Tables as you may have them
#
# 300 cars, each with a home, a place of work, and two trips on a day. Times are local,
# and that is the first thing to settle: a timestamp needs its offset, because a local
# time may come twice or not at all. `tz_localize` says which zone is meant.

# %%
cars = 300
day = pd.Timestamp("2026-03-03").tz_localize("America/Los_Angeles")
leave = day + pd.to_timedelta(rng.normal(7.5, 0.8, cars).clip(5, 10), unit="h")
back = day + pd.to_timedelta(rng.normal(17.5, 1.2, cars).clip(14, 22), unit="h")
drive = pd.to_timedelta(rng.uniform(0.3, 1.2, cars), unit="h")
names = [f"car {i:03d}" for i in range(cars)]
area = np.where(rng.random(cars) < 0.6, "north", "south")

vehicles = pd.DataFrame(
    {
        "vehicle_id": names,
        "battery_kwh": rng.choice([40.0, 60.0, 82.0], cars),
        "weight": 4.0,  # each row stands for four cars
        "colour": "any",  # further columns are kept and not used
    }
)
vehicles["initial_kwh"] = (vehicles["battery_kwh"] * rng.uniform(0.4, 0.9, cars)).round(
    1
)
vehicles["reserve_kwh"] = 0.1 * vehicles["battery_kwh"]

# %% [markdown]
# A stay is a vehicle parked at a place: before it leaves, at work, and after it is
# back. Who can charge there has a `charger_kw`; `feeder_id` is the feeder behind the
# charger.

# %%
at_home = pd.DataFrame({"vehicle_id": names, "place": "home", "feeder_id": area})
at_home["charger_kw"] = rng.choice([0.0, 7.2, 11.0], cars, p=[0.2, 0.6, 0.2])
at_work = pd.DataFrame({"vehicle_id": names, "place": "work", "feeder_id": "centre"})
at_work["charger_kw"] = rng.choice([0.0, 11.0], cars, p=[0.7, 0.3])
stays = pd.concat(
    [
        at_home.assign(arrival=day, departure=leave),
        at_work.assign(arrival=leave + drive, departure=back - drive),
        at_home.assign(arrival=back, departure=day + pd.Timedelta("1D")),
    ],
    ignore_index=True,
)
trips = pd.concat(
    [
        pd.DataFrame(
            {"vehicle_id": names, "departure": leave, "arrival": leave + drive}
        ),
        pd.DataFrame({"vehicle_id": names, "departure": back - drive, "arrival": back}),
    ],
    ignore_index=True,
)
hours_driven = (trips["arrival"] - trips["departure"]) / pd.Timedelta("1h")
trips["energy_kwh"] = 12.0 * hours_driven

# %% [markdown]
# Feeders and what they can carry. `hour` is a daily profile in local time; with `time`
# it is a row for each slot.

# %%
feeders = pd.DataFrame(
    {
        "feeder_id": ["north", "south", "centre"],
        "upgrade_cost_per_kw": [600.0, 450, 800],
    }
)
hours = np.arange(24)
evening = 1 + 0.45 * np.exp(-((hours - 19.0) ** 2) / 8)
feeder_profile = pd.concat(
    pd.DataFrame(
        {
            "feeder_id": name,
            "hour": hours,
            "capacity_kw": capacity,
            "base_kw": capacity * 0.6 * evening,
        }
    )
    for name, capacity in {"north": 1800.0, "south": 1300.0, "centre": 1500.0}.items()
)

# %% [markdown]
# ## Reading errors
#
# Nothing is guessed and nothing is cut off silently. All faults of all tables come in
# one report, with table, column, rule, how many rows, and the first ids. Four mistakes
# that happen: Wh for kWh, percent for a share, a vehicle that no table knows, a trip
# during a stay.

# %%
header = dict(
    name="a small town",
    start=day,
    timezone="America/Los_Angeles",
    slot_minutes=30,
    slots=48,
)
tables = dict(
    vehicles=vehicles,
    stays=stays,
    trips=trips,
    feeders=feeders,
    feeder_profile=feeder_profile,
)
broken = dict(tables)
broken["vehicles"] = vehicles.assign(
    battery_kwh=vehicles["battery_kwh"] * 1000, charge_efficiency=92
)
broken["trips"] = trips.assign(departure=trips["departure"] - pd.Timedelta("30min"))
broken["stays"] = stays.replace({"vehicle_id": {"car 007": "car 7"}})
try:
    macjax.Scenario.from_frames(**header, **broken)
except macjax.DataError as error:
    faults = error.faults
    print(str(error)[:1200])
faults

# %% [markdown]
# The frame of faults helps to mend many rows: `faults["ids"]` are the first ten. The
# tables as they were are right; `notes` says what was kept, clipped or left out.

# %%
scenario = macjax.Scenario.from_frames(**header, **tables)
print(scenario)
scenario.notes

# %% [markdown]
# Vehicles that cannot make their trips even at full power are no fault of the tables.
# They are listed when it is solved, and you say what becomes of them.

# %%
unmanaged = macjax.baselines.unmanaged(scenario)
mac = macjax.solve(scenario, on_infeasible="drop", progress=False)
print(len(mac.infeasible), "rows cannot make their trips")
macjax.compare([unmanaged, mac]).T

# %% [markdown]
# ## CSV and back
#
# `write` makes a folder that can be edited, `Scenario.read` checks it again. On the
# command line: `macjax validate town`, `macjax solve town --out result`. Ids in CSV
# stay text unless all are plain whole numbers, so `007` is no 7.

# %%
scenario.write(folder / "town", format="csv")
print((folder / "town" / "scenario.toml").read_text())
again = macjax.Scenario.read(folder / "town")
assert again.fingerprint == scenario.fingerprint
pd.read_csv(folder / "town" / "stays.csv").head()

# %% [markdown]
# A decimal comma, and a local time in a folder: the report names the file's column and
# says how to write it.

# %%
rows = pd.read_csv(folder / "town" / "trips.csv", dtype=str)
rows.loc[0, "energy_kwh"] = "7,4"
rows.loc[1, "departure"] = "2026-03-03T07:30:00"
rows.to_csv(folder / "town" / "trips.csv", index=False)
try:
    macjax.Scenario.read(folder / "town")
except macjax.DataError as error:
    in_files = error.faults
    print(error)

# %% [markdown]
# ## Cars and feeders from other tools
#
# Importers read files of travel models, charging records and network models. What a
# file does not say is a keyword; what was left out, changed or assumed is in `report`.
# Here a MATSim plan, and a transformer of an OpenDSS circuit, put together.

# %%
(folder / "plans.xml").write_text(
    """<population><person id="anna"><plan>
  <activity type="home" x="0" y="0" end_time="07:40:00"/><leg mode="car"/>
  <activity type="work" x="9000" y="4000" end_time="17:10:00"/><leg mode="car"/>
  <activity type="home" x="0" y="0"/></plan></person></population>"""
)
(folder / "street.dss").write_text(
    "New Transformer.T1 buses=(mv lv) kvs=(12 0.4) kvas=(8 8)\n"
    "New Load.shop bus1=lv kW=4"
)
plans = importers.matsim(
    folder / "plans.xml",
    start="2026-09-14",
    timezone="Europe/Berlin",
    cars=importers.Cars(battery_kwh=58, charger_kw={"home": 11, "work": 0}),
    progress=False,
)
street = importers.opendss(folder / "street.dss")
imported = plans.with_feeders(street, link={"home": "t1"}, by="place").scenario()
print(imported)
imported.stays

# %%
plans.report[["column", "what", "action", "count"]]

# %% [markdown]
# Sessions of charging stations, as ACN-Data has them: each is a vehicle that must get
# its energy before it leaves.

# %%
(folder / "sessions.json").write_text(
    """{"_items": [{"sessionID": "a1", "stationID": "s1", "siteID": "0002",
  "connectionTime": "Mon, 14 Sep 2026 15:10:00 GMT",
  "disconnectTime": "Mon, 14 Sep 2026 23:40:00 GMT", "kWhDelivered": 14.2}]}"""
)
sessions = importers.acn(folder / "sessions.json")
print(sessions.summary())
sessions.vehicles

# %%
work.cleanup()
