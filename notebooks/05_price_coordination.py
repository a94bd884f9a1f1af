# %% [markdown]
# # Price coordination: EVs that answer prices, prices that answer their demand
#
# Nobody plans the charging here. Every EV answers a price with the charging that suits
# it best; the price moves toward the marginal cost of the demand that results; where it
# stands still, the charging is the one of the least cost for everybody (Zou, Ma,
# Hiskens, Automatica 2016). Open this file as a notebook (jupytext) or run it with
# Python.
#
# 5,000 identical EVs of 20 kWh beside the demand of 25,000 households of Southern
# California Edison, from noon to noon. The numbers of the EVs are calibrated so that
# the guaranteed range of steps is the one of the source, 0 < step < 1.017; the source
# does not publish them.

# %%
import numpy as np
import pandas as pd

import macjax
from macjax.coordination import figures, sweep

household_kw = np.array(
    [1.651, 1.887, 2.090, 2.278, 2.392, 2.457, 2.462, 2.377, 2.275, 2.179, 2.001, 1.745]
    + [1.505, 1.303, 1.151, 1.036, 0.955, 0.888, 0.867, 0.963, 1.127, 1.348, 1.599]
    + [1.829]
)
base_kw = 25_000 * household_kw
generation = macjax.GenerationCost.polynomial([0.0, 0.06, 2.9e-7])
takers = macjax.PriceTakers(
    energy_kwh=20.0, benefit=0.03, quadratic=0.003, linear=0.11, count=5000
)
problem = macjax.PriceProblem(takers, base_demand_kw=base_kw, cost=generation)

# %% [markdown]
# What is known before the run: the condition of the source, the sharper bound for
# affine marginal cost, and how many iterations suffice.

# %%
known = problem.contraction(step=1.0, initial_price=0.2)
print(known)

# %% [markdown]
# ## Price and demand over the iterations

# %%
run = macjax.coordinate(problem, step=1.0, initial_price=0.2)
print(run.message)
run.summary()

# %%
axes = figures.iterations(run, "price")

# %%
axes = figures.iterations(run, "demand")

# %% [markdown]
# The result beside an optimiser that knows everything, and beside the lower bound that
# the prices prove by themselves.

# %%
best = macjax.coordination.centralised(problem)
comparison = {
    "prices": run.objective,
    "optimiser": best.objective,
    "lower bound": run.lower_bound,
}
comparison

# %% [markdown]
# ## How the step matters
#
# Solid lines are guaranteed: in the 1-norm by the condition of the source, in the
# 2-norm by the sharper bound. Beyond that the price oscillates.

# %%
steps = [0.3, 0.5, 0.75, 1.0, 1.017, 1.2, 1.3, 1.4]
by_step = sweep(problem, {"step": steps}, initial_price=0.2, max_iterations=150)
axes = figures.distances(by_step, known)

# %%
near = by_step.history[by_step.history["distance"] < 1e-6]
counts = near.groupby("run")["iteration"].min().rename(lambda run: steps[run])
counts

# %% [markdown]
# ## Dearer cells flatten the charging
#
# a and b of an EV come from the degradation of its cells and their price. The
# coefficients are solved for: at 0.2 USD/Wh they give the EV of above. They are not
# measured ones, which the source does not give either.

# %%
cells, volt, price = 2500, 3.3, 0.2
beta = np.zeros(7)
beta[1] = 0.11 / (1e3 * price * 3600)
beta[3] = 0.003 * cells * volt / (1e6 * price * 3600)
packs = macjax.PriceTakers.from_cells(
    energy_kwh=20.0,
    benefit=0.03,
    coefficients=beta,
    cell_price=price,
    cells=cells,
    nominal_voltage=volt,
    count=5000,
)
with_cells = macjax.PriceProblem(packs, base_demand_kw=base_kw, cost=generation)
cell_prices = np.linspace(0.05, 0.6, 100)
by_cells = sweep(with_cells, {"cell_price": cell_prices}, tolerance=1e-8)
by_cells.frame.iloc[[0, 27, 99]].T

# %%
axes = figures.demands(by_cells, "cell_price", base_kw)

# %%
axes = figures.parameter(by_cells, "cell_price", "largest_kw")

# %% [markdown]
# ## More benefit serves more energy

# %%
benefits = np.geomspace(0.01, 1.0, 100)
by_benefit = sweep(problem, {"benefit": benefits}, tolerance=1e-8)
axes = figures.parameter(by_benefit, "benefit", "share_of_energy")
axes.set_xscale("log")

# %%
axes = figures.demands(by_benefit, "benefit", base_kw)

# %% [markdown]
# ## Without a coordinator
#
# 200 different EVs on a ring of neighbours, or on a random graph: each has a price of
# its own, moves it by its own answer, and averages it with its neighbours R times. The
# distance from the central result falls as sigma to the power R.

# %%
rng = np.random.default_rng(0)
crowd = macjax.PriceTakers(
    energy_kwh=rng.uniform(8, 30, 200),
    benefit=rng.uniform(0.02, 0.06, 200),
    quadratic=rng.uniform(0.003, 0.006, 200),
    linear=rng.uniform(0.05, 0.12, 200),
)
village = macjax.PriceProblem(
    crowd,
    base_demand_kw=1000 * household_kw,
    cost=macjax.GenerationCost.polynomial([0.0, 0.06, 7e-6]),
)
central = macjax.coordinate(village, tolerance=1e-8)
rows = []
for graph in ("ring", "random_regular"):
    for rounds in (2, 10, 50, None):
        spread = macjax.coordinate(village, graph=graph, rounds=rounds)
        last = spread.history.iloc[-1]
        rows.append(
            {
                "graph": graph,
                "rounds": rounds or np.inf,
                "sigma": spread.agreement.averaging.shrink,
                "distance": last["distance"],
                "error_bound": last["error_bound"],
                "objective": spread.objective / central.objective - 1,
                "messages": spread.messages["messages"],
            }
        )
agreement = pd.DataFrame(rows)
agreement
