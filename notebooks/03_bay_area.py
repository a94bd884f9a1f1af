# %% [markdown]
# # The Bay Area at 30 %: how much upgrade can coordination avoid, and who gives it?
#
# Electric cars of the San Francisco Bay Area over a week, charged as soon as they
# arrive, by a tariff, session by session, and coordinated over all their trips (MAC).
# Here one county runs, one car in ten; the figures of the whole region, one car in 20,
# come from a recorded run (`bench/results`).
#
# What is measured, modelled and assumed stands in the last table: the travel is
# modelled, the feeders follow published quantiles, and nobody's real feeder is in it.

# %%
import dataclasses
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import pandas as pd

import macjax
from macjax import importers, planning, plots, studies

pd.set_option("display.float_format", "{:,.3f}".format)
pd.set_option("display.max_columns", 30)
try:
    here = Path(__file__).resolve().parent
except NameError:  # in a notebook
    here = Path.cwd()
RECORDS = here.parent / "bench" / "results"


def record(name: str) -> dict:
    return json.loads((RECORDS / f"{name}.json").read_text("utf-8"))


# %% [markdown]
# ## The region, one car in 20
#
# `macjax study configs/bay_area_sample.toml --out out/bay_area` builds it, runs four
# methods, and writes tables, figures and a report. Each row stands for 20 cars that
# move as one block, so its peaks are higher than those of the whole population.

# %%
region = record("bay_area_sample")
SHOWN = ["method", "status", "feeders_overloaded", "upgrade_kw", "upgrade_cost"]
SHOWN += ["lower_bound", "gap", "discrete_cost_usd", "seconds"]
print(f"{region['wall_seconds']} s in all, {region['peak_gib']:.1f} GiB at the peak")
pd.DataFrame(region["records"]["methods"])[SHOWN].set_index("method").T

# %% [markdown]
# What is proved: no schedule that serves every trip costs less than the lower end.

# %%
pd.DataFrame(region["records"]["intervals"]).set_index("quantity")

# %% [markdown]
# ## One county, here and now
#
# The same in one call, for Napa with one car in ten. The folder holds what the command
# writes.

# %%
work = TemporaryDirectory()  # where this notebook writes
folder = Path(work.name) / "study"
county = {"name": "Napa County, one car in ten", "counties": ["napa"], "sample": 0.1}
study = macjax.study(county, folder, gap=1e-3)
unmanaged, mac = study.solutions["unmanaged"], study.solutions["mac"]
study.tables["methods"][SHOWN].set_index("method").T

# %%
study.tables["intervals"].set_index("quantity")

# %% [markdown]
# The value of mobility awareness is what session-by-session coordination costs more;
# it is there only where that serves all trips and lies in MAC's set (see `remark`).
#
# ## How it is spread over the feeders
#
# Few feeders need most of the upgrade. MAC fills feeders up to their capacity; what is
# left here is mostly overload that the base load causes alone.

# %%
axes = planning.feeder_distribution(list(study.solutions.values()))

# %%
table = study.tables["quantiles"]
table[table["quantity"] != "use"].set_index(["method", "quantity"])

# %% [markdown]
# The feeders on the map, before and after, dots to one scale.

# %%
largest = unmanaged.upgrades()["upgrade_kw"].max()
figure, axes = plt.subplots(1, 2, figsize=(11, 6), layout="constrained")
for solution, ax in zip((unmanaged, mac), axes, strict=True):
    planning.feeder_map(solution, largest, ax)

# %% [markdown]
# ## Who gives the flexibility
#
# Nearly all of the relief comes from cars at home: they are there in the evening, when
# feeders are full, and stay until the morning. Work places hardly charge in those
# slots, and take some of the energy over.

# %%
flexibility = study.tables["places"]
flexibility[flexibility["method"] == "mac"].set_index("place").drop(columns="method").T

# %%
figure, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
for solution, ax in zip((unmanaged, mac), axes, strict=True):
    planning.charging_profile(solution, ax=ax)

# %% [markdown]
# ## Upgrades in standard sizes
#
# What each feeder would buy: the cheapest number of equal three-phase transformers. The
# unit costs hold no lines and no switchgear, so they are far below the cost per kW,
# which stands for a whole upgrade; and a small overload buys a whole unit.

# %%
bought = planning.discrete_upgrades(unmanaged)
bought[bought["units"] > 0].nlargest(5, "upgrade_kw").set_index("feeder_id")

# %%
axes = planning.cost_intervals(list(study.solutions.values()))

# %% [markdown]
# ## Sensitivity: adoption, and chargers at work
#
# Upgrade [kW] by share of electric cars and share of commuters with a charger at work.

# %%
frame = macjax.sweep(
    county | {"sample": 0.05},
    over={"adoption": [0.1, 0.3], "work_share": [0.2, 0.6]},
    methods=["unmanaged", "mac"],
    gap=1e-3,
)
frame.pivot(index="adoption", columns=["method", "work_share"], values="upgrade_kw")

# %% [markdown]
# Recorded, one car in ten: what 50 % adds, and two fifths of the commuters.

# %%
finished = pd.DataFrame(record("napa_adoption")["rows"])
finished.pivot(index="adoption", columns=["method", "work_share"], values="upgrade_kw")

# %% [markdown]
# ## Slots of 60, 30 and 15 minutes
#
# The same trips and stays; finer slots see higher peaks of unmanaged charging, whose
# power an hour averages out.

# %%
columns = ["slot_minutes", "method", "upgrade_kw", "upgrade_cost", "seconds"]
finer = macjax.sweep(
    county | {"sample": 0.05},
    over={"slot_minutes": [60, 30, 15]},
    methods=["unmanaged", "mac"],
    gap=1e-3,
)
finer[columns]

# %% [markdown]
# ## Service transformers
#
# A feeder evens out thousands of customers, a service transformer a handful. Here the
# county's cars at home, one row a car, charge behind 73 transformers of SMART-DS with
# 212 households. The day of their load profiles is a mild one, which takes 22 % of the
# ratings at its peak; 2.5 times that stands for a high-load day [assumed]. All cars are
# electric: 3.3 times as many as at 30 %. An overloaded transformer is replaced by the
# cheapest one that is large enough.

# %%
data = here / "data"
names = ("transformers", "loads", "load_profiles_15min")
network = importers.opendss([data / f"smartds_{n}.csv" for n in names], name="SMART-DS")
profile = network.feeder_profile.assign(base_kw=2.5 * network.feeder_profile["base_kw"])
network = dataclasses.replace(network, feeder_profile=profile)
loads = pd.read_csv(data / "smartds_loads.csv")
homes = loads[loads["customer_class"] == "residential"].groupby("transformer_id").size()
cars = studies.cars_at_home_per_household(unmanaged.scenario) / 0.3
street = studies.on_service_transformers(unmanaged.scenario, network, homes, cars)
street

# %%
served = [macjax.baselines.unmanaged(street), macjax.solve(street, progress=False)]
service = studies.study_tables(
    served, transformers="single_phase", replace="rated_kva"
)["methods"]
words = ["method", "feeders_overloaded", "upgrade_kw", "units", "discrete_cost_usd"]
service[words].set_index("method")

# %%
axes = plots.feeder_load(served)

# %% [markdown]
# Five draws of each case, recorded: transformers overloaded, mean over the draws.

# %%
draws = pd.DataFrame(record("napa_transformers")["rows"])
draws.pivot_table("feeders_overloaded", ["load", "adoption"], "method", sort=False)

# %% [markdown]
# ## What is measured, what is modelled, what is assumed

# %%
provenance = pd.read_csv(folder / "tables" / "provenance.csv")
work.cleanup()
provenance.set_index("kind")
