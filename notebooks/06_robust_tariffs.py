# %% [markdown]
# # Robust dynamic tariffs on a coupled network
#
# EVs of two trips cross a road network of 20 nodes. They must charge on the way, at
# fast charging stations that hang on a distribution network of 17 nodes, where load and
# PV are known only within a box. An operator plans all of them at least cost within
# limits that hold for every point of the box; the duals of the limits are the tariffs.
# Two aggregators, who know no limit, then plan their own EVs under these tariffs.
#
# The case follows an article that prints part of its data. What is published and what
# is assumed stands line by line in `configs/tariff_case.toml`; the costs and tariffs of
# the article cannot be reproduced from what it prints.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import macjax

pd.set_option("display.float_format", "{:.4f}".format)
try:
    here = Path(__file__).resolve().parent
except NameError:  # in a notebook
    here = Path.cwd()
configs = here.parent / "configs"
case = macjax.tariffs.Case.read(configs / "tariff_case.toml")
case

# %% [markdown]
# ## Two plans
#
# The deterministic plan takes load and PV at their nominal values ($\Gamma=0$), the
# robust one covers the whole box ($\Gamma=1$).

# %%
plans = {
    "deterministic": macjax.tariffs.solve_operator(case, gamma=0.0),
    "robust": macjax.tariffs.solve_operator(case, gamma=1.0),
}
free = macjax.tariffs.solve_operator(case, limits=False)
costs = {"without limits": free.cost} | {k: p.cost for k, p in plans.items()}
pd.Series(costs, name="cost")

# %%
robust = plans["robust"]
figure, axes = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
maps = (macjax.tariffs.road_map, macjax.tariffs.grid_map)
for draw_map, ax in zip(maps, axes, strict=True):
    draw_map(case, robust, ax=ax)

# %% [markdown]
# Roads are as wide as they carry EVs; lines that are full in some hour are red. More
# EVs want to leave T4 than the two roads into T10 let through, so queues form in front
# of them and dissolve.

# %%
axes = macjax.tariffs.queues(robust)

# %% [markdown]
# ## Stations against their limits
#
# Without limits F2 draws almost twice what its line can carry. The robust plan stays
# below the limit by the margin that load and PV may need: the band ends at the line.

# %%
figure, axes = plt.subplots(2, 1, figsize=(10, 7), layout="constrained")
shown = {"without limits": free, **plans}
for axis, line in zip(axes, ("L2", "L4"), strict=True):
    macjax.tariffs.line_loads(case, shown, line, ax=axis)

# %% [markdown]
# ## Tariffs
#
# A tariff is the worth of one more kW of the line, per kWh. It is 0 where the line has
# room.

# %%
axes = macjax.tariffs.tariff_curves(plans, ["F2", "F4"])

# %% [markdown]
# ## Do prices do what the operator planned?
#
# Each aggregator solves its own problem with the tariff on top of the energy price. Its
# powers are those that the operator planned for it. The article puts the quadratic cost
# on the sum over aggregators; then they differ by hundreds of kW.

# %%
aggregators = macjax.tariffs.solve_aggregators(case, robust)
check = macjax.tariffs.equivalence(case, robust, aggregators)
coupled = macjax.tariffs.solve_operator(case, gamma=1.0, coupled=True)
answer = macjax.tariffs.solve_aggregators(case, coupled)
gaps = {
    "separable cost": check.max_power_difference_kw,
    "the article's cost": macjax.tariffs.equivalence(
        case, coupled, answer
    ).max_power_difference_kw,
}
pd.Series(gaps, name="largest difference of powers [kW]")

# %% [markdown]
# ## Uncertainty
#
# 10,000 draws from the box: the deterministic plan exceeds L2 or L4 in all of them, in
# half of the hours in which it fills them; the robust one never does.

# %%
sampled = {
    name: macjax.tariffs.sample_violations(case, plan, draws=10_000)
    for name, plan in plans.items()
}
pd.concat({k: v[v["kind"] == "line"].set_index("element") for k, v in sampled.items()})

# %% [markdown]
# What robustness costs, for boxes of 5, 10 and 20 % of load and PV.

# %%
study = macjax.tariffs.gamma_study(case, gammas=(0, 0.5, 1), draws=1000)
study.rows

# %%
axes = macjax.tariffs.cost_of_gamma(study)

# %% [markdown]
# ## A scarcer case
#
# The article's robust plan costs 29 % more than its deterministic one, and its tariffs
# rise by a constant over the hours. In the completion above robustness costs next to
# nothing, since the EVs can charge elsewhere. Where they cannot (more consumption, more
# energy to arrive with) all four lines are full for most of the day, and the same
# pattern appears: robust minus deterministic is nearly flat, because EVs move between
# hours until each is as dear as the next. The level stays what it is: the numbers that
# set it are not published.

# %%
scarce = case.changed({"fleet.soc_arrival": 0.3, "fleet.consumption_per_step": 0.03})
scarce_plans = {
    "deterministic": macjax.tariffs.solve_operator(scarce, gamma=0.0),
    "robust": macjax.tariffs.solve_operator(scarce, gamma=1.0),
}
axes = macjax.tariffs.tariff_curves(scarce_plans, ["F2", "F3"])

# %%
published = pd.read_csv(configs / "tariff_case" / "published_tariffs.csv")
shape = published.assign(
    **{
        f"scarce, {name}": macjax.tariffs.published_hours(plan, published)
        for name, plan in scarce_plans.items()
    }
)
shape["published shift"] = shape["robust"] - shape["deterministic"]
shape["scarce shift"] = shape["scarce, robust"] - shape["scarce, deterministic"]
shape.set_index(["station", "hour"])
