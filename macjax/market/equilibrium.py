"""`equilibrium`: the solution of MAC as a competitive equilibrium of its prices.

Post the prices of a solution and let everybody mind only what they pay. A vehicle's
regret is what it could save by another schedule of its own,

    regret_n = cost_n(its schedule) - min_{u in U_n} cost_n(u) >= 0  (up to rounding),
    cost_n(u) = sum_j price_c(j) kw_j + epsilon / 2 sum_j u_j^2      [currency],

a feeder's is the residual of complementary slackness (`complementarity`). Together they
are the gap:  objective - lower bound = sum_n weight_n regret_n + sum_f residual_f, so a
small certified gap proves a near-equilibrium, of vehicles and feeders alike. With
smoothing it bounds the loads of the best responses too, with its root: see `clearing`.

Best responses come from `macjax.responses`; the certificate, which finds the same
minima as dual values in code of its own, is what they are tested against.
"""

import dataclasses

import numpy as np
import pandas as pd

from macjax._errors import SettingsError, SolutionError
from macjax.certificate import Certifier
from macjax.market.bills import Bills
from macjax.market.clearing import clearing_bound
from macjax.market.complementarity import complementarity
from macjax.market.own_cost import OwnCost
from macjax.market.takers import Takers, require_scenario
from macjax.objectives import PeakOverload
from macjax.objectives.compile import FeederTermsData, feeder_terms
from macjax.results import Solution, tables

ROUNDING = 1e-9  # of the largest bill: gains and losses up to this count as none


@dataclasses.dataclass(frozen=True, eq=False)
class Equilibrium:
    """How near a solution is to an equilibrium, and who pays what at its prices.

    Vehicles that were left out of the solution are in no frame. Money is in the
    scenario's currency over the whole horizon.

    Arguments:
        regret: frame by vehicle: vehicle_id, weight, cost (of the schedule at the
            posted prices), best_cost (of the best response), regret; of one vehicle of
            the row. A regret is the difference of two costs, each summed with rounding:
            one of 0 may show as some 1e-16 of the cost, of either sign.
        bills: frame by vehicle: vehicle_id, weight, energy_kwh (from the grid, at
            feeders), payment, flat_payment (the same energy under the flat tariff),
            gain (flat_payment - payment: > 0 pays less than under the tariff).
        complementarity: frame by feeder: feeder_id, price_sum (prices less energy
            prices) and kappa [currency/kW], upgrade_kw, unused_cost (upgrade_kw times
            what the prices leave of kappa), slack_cost (the rest) and residual (both),
            and clearing_kw, the largest difference between the load of the schedule
            and that of the best responses: with `Smoothing` at most clearing_bound_kw =
            sqrt(2 (objective - lower bound) / modulus), which falls with the root of
            the gap; without it a matter of ties, and the bound NaN.
        revenue: frame by feeder: feeder_id, energy_kwh, collected (all payments),
            energy_cost (the part of it that is energy price), congestion_rent (the
            rest), upgrade_cost (of the objective's peak term), rest_of_rent (what is
            left of the rent: the worth of the capacity that is there).
        schedule: frame of the best responses, as `Solution.schedule()`.
        flat_price: of the flat tariff with the same revenue [currency/kWh].
        objective, lower_bound: of the solution, recomputed [currency].
        currency: of all money.
    """

    regret: pd.DataFrame
    bills: pd.DataFrame
    complementarity: pd.DataFrame
    revenue: pd.DataFrame
    schedule: pd.DataFrame
    flat_price: float
    objective: float
    lower_bound: float
    currency: str

    @property
    def total_regret(self) -> float:
        """Sum of all vehicles' regrets, weights counted [currency]."""
        return float((self.regret["weight"] * self.regret["regret"]).sum())

    @property
    def largest_regret(self) -> float:
        """Regret of the vehicle that could save most [currency]; 0 without vehicles."""
        return float(self.regret["regret"].max()) if len(self.regret) else 0.0

    def summary(self) -> pd.Series:
        """The numbers of the whole.

        currency; objective, lower_bound, gap_cost (their difference), total_regret,
        largest_regret, slackness_residual (of all feeders) [currency]; clearing_kw and
        clearing_bound_kw, largest of the feeders [kW]; collected, energy_cost,
        congestion_rent, upgrade_cost, rest_of_rent [currency], as in `revenue`;
        energy_kwh; flat_price [currency/kWh]; vehicles_paying, vehicles_gaining,
        vehicles_losing (against the flat tariff), weights counted; what these gained
        and lost [currency].
        """
        weight, gain = self.bills["weight"], self.bills["gain"]
        size = self.bills["payment"].abs().max() if len(self.bills) else 0.0
        wins, loses = gain > ROUNDING * size, gain < -ROUNDING * size
        frames = self.complementarity, self.revenue
        values = {
            "currency": self.currency,
            "objective": self.objective,
            "lower_bound": self.lower_bound,
            "gap_cost": self.objective - self.lower_bound,
            "total_regret": self.total_regret,
            "largest_regret": self.largest_regret,
            "slackness_residual": float(frames[0]["residual"].sum()),
            "clearing_kw": float(frames[0]["clearing_kw"].max()),
            "clearing_bound_kw": float(frames[0]["clearing_bound_kw"].max()),
            "collected": float(frames[1]["collected"].sum()),
            "energy_cost": float(frames[1]["energy_cost"].sum()),
            "congestion_rent": float(frames[1]["congestion_rent"].sum()),
            "upgrade_cost": float(frames[1]["upgrade_cost"].sum()),
            "rest_of_rent": float(frames[1]["rest_of_rent"].sum()),
            "energy_kwh": float(frames[1]["energy_kwh"].sum()),
            "flat_price": self.flat_price,
            "vehicles_paying": float(weight[self.bills["payment"] != 0].sum()),
            "vehicles_gaining": float(weight[wins].sum()),
            "vehicles_losing": float(weight[loses].sum()),
            "gained": float((weight * gain)[wins].sum()),
            "lost": float(-(weight * gain)[loses].sum()),
        }
        return pd.Series(values, dtype=object, name="equilibrium")

    def plot(self, axes=None):
        """Who gains against the flat tariff, and what feeders collect: two axes.

        Arguments:
            axes: a pair of matplotlib axes to draw in; None makes a figure.
        """
        from macjax.market.figures import equilibrium_figure

        return equilibrium_figure(self, axes)

    def __str__(self) -> str:
        return self.summary().to_string()


def equilibrium(scenario, solution) -> Equilibrium:
    """Regret of every vehicle, complementary slackness, payments and rents.

    Arguments:
        scenario: the tables.
        solution: a `Solution` of that scenario with a schedule and prices: of
            `macjax.solve` with any objective, `per_session` or `macjax.exchange`.
            Smoothing is each vehicle's own cost; all else is the feeders'.

    Returns:
        An `Equilibrium`. Raises SettingsError for a solution of another scenario,
        SolutionError where it has no schedule or no prices.
    """
    require_scenario(scenario)
    _require_solution(scenario, solution)
    objective = solution.objective_spec
    data = feeder_terms(PeakOverload() if objective is None else objective, scenario)
    certifier = Certifier(
        scenario, None, solution.on_infeasible, solution.tube, terms=data
    )
    price = certifier.prices(solution.price_table)
    takers = Takers.of(scenario, solution.on_infeasible, solution.tube)
    own = OwnCost(smoothing=data.epsilon).packed(scenario, takers.fleet)
    answer = takers.respond(price, own)
    kept = ~scenario.vehicles["vehicle_id"].isin(takers.dropped).to_numpy()
    paid = Bills.of(scenario, solution.plan, price, data.epsilon)
    best = Bills.of(scenario, answer, price, data.epsilon)
    flat_price, bills = _bills(scenario, paid, kept)
    load = tables.ev_load(scenario, solution.plan)
    slackness = complementarity(scenario, data, load, price)
    cleared = np.abs(load - tables.ev_load(scenario, answer)).max(axis=1, initial=0.0)
    value, bound = certifier.objective(solution.plan), certifier.bound(price)
    slackness = slackness.assign(
        clearing_kw=cleared,
        clearing_bound_kw=clearing_bound(
            scenario, takers.fleet, data.epsilon, value - bound
        ),
    )
    return Equilibrium(
        regret=_regret(scenario, paid, best, kept),
        bills=bills,
        complementarity=slackness,
        revenue=_revenue(scenario, data, load, price),
        schedule=tables.schedule(scenario, answer),
        flat_price=flat_price,
        objective=value,
        lower_bound=bound,
        currency=scenario.currency,
    )


def _require_solution(scenario, solution) -> None:
    """Raise unless it is a whole solution of the scenario with plan and prices."""
    if not isinstance(solution, Solution):
        raise SettingsError(
            f"solution must be a macjax.Solution, not {type(solution).__name__}"
        )
    if solution.part is not None:
        raise SettingsError(
            "the solution holds a part of the vehicles; let every process write its "
            "part into one folder and take Solution.read(folder), which joins them"
        )
    mine, theirs = scenario.fingerprint, solution.scenario.fingerprint
    if mine != theirs:
        raise SettingsError(
            f"the solution is of another scenario: '{solution.scenario.name}' "
            f"({theirs[:8]}), not '{scenario.name}' ({mine[:8]}); "
            "solution.scenario is the one it is of"
        )
    if solution.plan is None or solution.price_table is None:
        lacks = "schedule" if solution.plan is None else "prices"
        raise SolutionError(
            f"a solution of method '{solution.method}' with status "
            f"'{solution.status}' has no {lacks}, so there is nothing to compare"
        )


def _regret(scenario, paid: Bills, best: Bills, kept) -> pd.DataFrame:
    """Costs of schedule and best response of one vehicle of each row."""
    columns = {"cost": paid.cost, "best_cost": best.cost}
    columns["regret"] = paid.cost - best.cost
    return _by_vehicle(scenario, columns, kept)


def _bills(scenario, paid: Bills, kept) -> tuple[float, pd.DataFrame]:
    """The flat price with the same revenue, and each vehicle's bills."""
    weight = scenario.vehicles["weight"].to_numpy(np.float64)
    energy = float(weight @ paid.energy_kwh)
    flat_price = float(weight @ paid.payment) / energy if energy > 0 else 0.0
    columns = {
        "energy_kwh": paid.energy_kwh,
        "payment": paid.payment,
        "flat_payment": flat_price * paid.energy_kwh,
    }
    columns["gain"] = columns["flat_payment"] - paid.payment
    return flat_price, _by_vehicle(scenario, columns, kept)


def _by_vehicle(scenario, columns: dict, kept) -> pd.DataFrame:
    """A frame of the vehicles in `kept`."""
    frame = scenario.vehicles[["vehicle_id", "weight"]].reset_index(drop=True)
    frame = frame.assign(**columns)
    return frame[kept].reset_index(drop=True)


def _revenue(scenario, data: FeederTermsData, load, price) -> pd.DataFrame:
    """What the feeders collect at the prices."""
    collected = (price * load).sum(axis=1)
    energy_cost = (data.energy * load).sum(axis=1)
    upgrade = np.maximum(load - data.headroom, 0.0).max(axis=1, initial=0.0)
    upgrade_cost = data.kappa * upgrade
    return pd.DataFrame(
        {
            "feeder_id": scenario.feeders["feeder_id"].array.copy(),
            "energy_kwh": load.sum(axis=1) * scenario.slot_hours,
            "collected": collected,
            "energy_cost": energy_cost,
            "congestion_rent": collected - energy_cost,
            "upgrade_cost": upgrade_cost,
            "rest_of_rent": collected - energy_cost - upgrade_cost,
        }
    )
