# %% [markdown]
# # How real is the synthetic week?
#
# `macjax.regions.build` makes electric cars of all households of the San Francisco Bay
# Area. Here its week stands beside what is known: the trips of the travel model's
# survey, 27,407 measured charging sessions at two work places, and published quantiles
# of feeders. Nothing was tuned to the tables below except what `parameters.py` marks
# as fitted; where the synthesis is off, it is shown.

# %%
import matplotlib.pyplot as plt
import pandas as pd

import macjax

pd.set_option("display.float_format", "{:.3f}".format)
pd.set_option("display.max_rows", 200)
built = macjax.regions.build_with_facts(sample=0.05)
scenario = built.scenario
scenario

# %% [markdown]
# What was kept, and what was left out for which reason.

# %%
print(macjax.regions.report(built.facts))

# %% [markdown]
# One table of everything: known, synthetic, difference (in the unit), relative.
#
# The survey is itself the output of a travel model; the sessions are measured; feeders
# are published quantiles. "A car and day" counts all cars of all households, with car
# trips of the survey divided by the people in the car.

# %%
unmanaged = macjax.baselines.unmanaged(scenario)
table = macjax.regions.calibrate(scenario, unmanaged=unmanaged)
columns = ["quantity", "unit", "known", "synthetic", "difference", "relative"]


def show(group: str) -> pd.DataFrame:
    return table.loc[table["group"] == group, columns].set_index("quantity")


show("travel on weekdays")

# %% [markdown]
# Daily km are some percent too long: cars follow the drivers with most km of a
# household. Half or more of the variance of trips a day is known to lie within
# persons; 0.76 here is on the safe side of that.

# %%
show("work places")

# %% [markdown]
# Departures, arrivals at home and cars at home, hour by hour.

# %%
figure, axes = plt.subplots(1, 3, figsize=(13, 3.5), layout="constrained")
groups = ("departures", "arrivals at home", "at home, of cars that travel")
for axis, group in zip(axes, groups, strict=True):
    curve = show(group)
    axis.plot(range(24), curve["known"], "o", color="black", label="survey")
    axis.step(range(24), curve["synthetic"], where="mid", label="synthetic week")
    axis.set(title=group, xlabel="hour of the weekday", ylim=(0, None))
axes[0].legend()
largest = {group: show(group)["difference"].abs().max() for group in groups}
pd.Series(largest, name="largest difference")

# %% [markdown]
# At work: stays are as long as measured, and cars arrive when measured ones do. **The
# energy is too low by two thirds.** In the unmanaged week every car plugs in at every
# charger it meets, most leave home full, and so take little at work; the measured
# drivers plug in when it is worth it, and many have no other charger.

# %%
show("charging at work")

# %% [markdown]
# Feeders. Peaks and headroom follow the quantiles by construction; customers are what
# lies on a feeder of that peak, too many on the smallest ones: land use is known by
# zones of some 2,000 households, and within a zone all feeders are alike.

# %%
show("feeders")

# %% [markdown]
# Which feeders unmanaged charging overloads is not fitted. It depends on the sample:
# all cars that a row stands for arrive in the same minute, so that a small sample has
# higher peaks; with all 1.46 million cars it is 31 % of the feeders and 317 MW. Half
# the feeders of California are expected to be overloaded in 2035 (Li and Jenn 2024).

# %%
overloaded = {}
for sample in (0.01, 0.02, 0.05, 0.1):
    some = macjax.regions.build(sample=sample)
    upgrades = macjax.baselines.unmanaged(some).upgrades()["upgrade_kw"]
    overloaded[f"1 in {1 / sample:.0f}"] = {
        "share of feeders": (upgrades > 0).mean(),
        "upgrade [MW]": upgrades.sum() / 1e3,
    }
pd.DataFrame(overloaded).T
