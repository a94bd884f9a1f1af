# %% [markdown]
# # Prices: MAC as a competitive equilibrium
#
# A solution of MAC has a price for every feeder and slot: what one more kW costs there.
# Who pays these prices, what would they rather do, and what does it take to find them
# by messages alone?

# %%
import numpy as np
import pandas as pd

import macjax
from macjax import plots
from macjax.market import exchange_figure

scenario = macjax.example()
mac = macjax.solve(scenario, progress=False)
axes = plots.price_heatmap(mac)

# %% [markdown]
# ## Nobody could do better
#
# The regret of a vehicle is what it could save at the posted prices by another schedule
# that serves its trips. A feeder's residual is what its prices miss of complementary
# slackness. Both are at least 0, and together they are the certified gap.

# %%
found = macjax.equilibrium(scenario, mac)
regret, residual = found.total_regret, found.complementarity["residual"].sum()
gap_cost = mac.objective - mac.lower_bound
print(f"regret {regret:.2f} + residual {residual:.2f} = gap {gap_cost:.2f} USD")
found.summary()

# %%
found.complementarity.nlargest(4, "upgrade_kw")

# %% [markdown]
# ## Who pays
#
# Prices are high where a feeder is full, and 0 elsewhere: a few vehicles that must
# charge there and then pay for the upgrade. A flat tariff with the same revenue spreads
# that over all.

# %%
axes = found.plot()

# %%
found.revenue.nlargest(4, "congestion_rent")

# %% [markdown]
# ## Prices alone do not coordinate
#
# Where prices tie, any cheap slot is as good as another. If all vehicles answer the
# prices by themselves, ties earliest, they meet in the same slots.

# %%
alone = macjax.best_response(scenario, mac.prices())
judged = macjax.certify(scenario, alone, prices=mac.prices())
print(f"MAC {mac.objective:,.0f}, best responses {judged.objective:,.0f} USD")

# %% [markdown]
# With a small cost of uneven charging the best response is unique, and it is the
# solution's schedule as far as the gap allows: the difference of loads falls with the
# root of the gap, and is bounded by it. Battery degradation does the same.

# %%
objective = macjax.PeakOverload() + macjax.Smoothing(0.01)
clearing = {}
for gap in (1e-2, 1e-4, 1e-6):
    smooth = macjax.solve(scenario, objective, gap=gap, progress=False)
    there = macjax.equilibrium(scenario, smooth)
    clearing[gap] = there.summary()[["clearing_kw", "clearing_bound_kw"]]
pd.DataFrame(clearing).T.rename_axis("gap")  # largest difference of load [kW]

# %%
worn = macjax.OwnCost(quadratic=0.02, linear=0.05)  # USD per kWh^2 and kWh
spread = macjax.best_response(scenario, mac.prices(), worn)
print(f"largest power {alone['kw'].max():.1f} kW")
print(f"with degradation {spread['kw'].max():.1f} kW")

# %% [markdown]
# ## Finding prices by messages
#
# Feeders post prices, vehicles answer with their load, feeders move the prices. ADMM
# keeps each answer near the last one. A plain price ascent takes best responses as they
# are and averages them.

# %%
runs = [
    macjax.exchange(scenario, rounds=200, progress=False),
    macjax.exchange(scenario, protocol="price_ascent", rounds=200, progress=False),
    macjax.exchange(
        scenario, protocol="price_ascent", optimiser="adam", rounds=200, progress=False
    ),
]
reached = pd.DataFrame([run.summary() for run in runs]).set_index("protocol")
reached[["rounds", "objective", "lower_bound", "gap", "kilobytes_of_a_vehicle"]]

# %%
axes = exchange_figure(runs)

# %% [markdown]
# The averaged answers of the ascent may be good long before its prices prove it.

# %%
best = np.array([run.solution.objective for run in runs]) / mac.lower_bound - 1
dict(zip(reached.index, best.round(4), strict=True))
