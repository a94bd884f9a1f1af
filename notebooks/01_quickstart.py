# %% [markdown]
# # Quickstart: how much feeder upgrade can EV flexibility avoid?
#
# The bundled scenario: electric cars of the San Francisco Bay Area over one week. Open
# this file as a notebook (jupytext) or run it with Python.

# %%
import pandas as pd

import macjax
from macjax import plots

scenario = macjax.example()
scenario

# %% [markdown]
# Unmanaged: every car draws full power from arrival until it is full.

# %%
unmanaged = macjax.baselines.unmanaged(scenario)
unmanaged.upgrades().nlargest(5, "upgrade_kw")

# %% [markdown]
# MAC: the best that any coordination could do without disturbing a trip, with a lower
# bound that proves it. Per session: the same, but every stay has to recharge what the
# trips before it took.

# %%
mac = macjax.solve(scenario, progress=False)
per_session = macjax.baselines.per_session(scenario, progress=False)
macjax.compare([unmanaged, per_session, mac]).T

# %% [markdown]
# The certificate recomputes feasibility, objective and bound from the raw tables.

# %%
print(macjax.certify(scenario, mac))

# %% [markdown]
# Load of the feeder that needs most, against its capacity.

# %%
axes = plots.feeder_load([unmanaged, mac])

# %% [markdown]
# Prices: what one more kW costs, by feeder and slot. Where they are zero, charging is
# free for the grid.

# %%
prices = mac.prices()
prices[prices["price"] > 0].nlargest(5, "price")

# %% [markdown]
# A sweep: more adoption is a larger weight of every car. Each case starts from the one
# before. Put in factors of your own.

# %%
rows = []
case = mac
for factor in (1.0, 1.1, 1.25, 1.5):
    vehicles = scenario.vehicles.assign(weight=scenario.vehicles["weight"] * factor)
    more = scenario.with_tables(name=f"{factor:g} times the cars", vehicles=vehicles)
    case = macjax.solve(more, warm_start=case, progress=False)
    now = macjax.baselines.unmanaged(more)
    solutions = {"unmanaged": now, "MAC": case}
    kw = {name: s.upgrades()["upgrade_kw"].sum() for name, s in solutions.items()}
    rows.append({"factor": factor} | kw)
upgrade_kw = pd.DataFrame(rows).set_index("factor")
upgrade_kw.round(0)

# %%
ax = upgrade_kw.plot(style=["o--", "s-"], color=["#D55E00", "#0072B2"], grid=True)
axes = ax.set(
    xlabel="electric cars, times those of the scenario", ylabel="upgrade [kW]"
)
