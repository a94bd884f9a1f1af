"""Per-session recovery: every stay gives back what was used, coordinated over feeders.

    l_k = h_k = min(D_k, l_{k-1} + m_k),  D_k = energy used before stay k,
                                          m_k = the most that stay k can give

Within a stay the slots are free and coordinated by the same solver as MAC: what tools
that look at one session at a time can reach at most. MAC is at least as good whenever
this schedule lies in MAC's set; whether it does is part of the result.
"""

import numpy as np

from macjax.baselines._outcome import not_recharged, stranded_vehicles
from macjax.fleet.opportunities import Chains, charging_chains

OUTSIDE_KWH = 1e-6


def per_session(scenario, objective=None, **settings):
    """Best schedule in which every stay recharges what was used since the last one.

    Arguments:
        scenario: a `Scenario`.
        objective: as in `macjax.solve`.
        settings: the keyword arguments of `macjax.solve`, `on_infeasible` among them:
            vehicles that cannot make their trips even at full power raise ("error",
            the default), are left out ("drop") or recharge like all others ("relax").

    Returns:
        `Solution`, certified on its own set. `.infeasible` lists the vehicles that
        cannot make their trips however they charge, `.stranded` those that it brings
        below their reserve; `settings["inside_mac_set"]` says whether the
        schedule lies in MAC's set, final SOC included (for vehicles that cannot make
        their trips at all: as far as full power reaches), and
        `settings["vehicles_outside_mac_set"]` how many vehicles do not.
    """
    # Imported here, so that the other baselines load without a solver.
    from macjax.driver import solve_tube

    solution = solve_tube(scenario, objective, tube="per_session", **settings)
    if solution.plan is None:
        return solution
    chains = charging_chains(scenario)
    ids = scenario.vehicles["vehicle_id"]
    served = ~ids.isin(solution.dropped).to_numpy(bool)
    charged = charging_chains(scenario, "per_session").lower
    outside = int(np.count_nonzero(outside_mac_set(chains, charged) & served))
    start_kwh = scenario.vehicles["initial_kwh"].to_numpy(np.float64)
    solution.stranded = stranded_vehicles(scenario, chains, start_kwh, charged, served)
    solution.settings |= {
        "inside_mac_set": outside == 0,
        "vehicles_outside_mac_set": outside,
        "not_recharged_kwh": not_recharged(scenario, chains, charged, served),
    }
    solution.assumptions.append(
        f"{outside} vehicles charge in a way that MAC's set does not allow, so MAC "
        "need not be the cheaper one."
        if outside
        else "The schedule lies in MAC's set, so MAC's optimum is at most as costly."
    )
    return solution


def outside_mac_set(chains: Chains, charged_kwh) -> np.ndarray:
    """Vehicles whose running sum leaves MAC's tube, final SOC included, (vehicles,).

    Arguments:
        chains: charging stays with the tube of SOC sufficiency.
        charged_kwh: energy charged up to the end of each charging stay, shape (stays,)
            [battery kWh].
    """
    low, high = chains.lower - OUTSIDE_KWH, chains.upper + OUTSIDE_KWH
    leaves = (charged_kwh < low) | (charged_kwh > high)
    outside = np.zeros(len(chains.count), bool)
    outside[chains.vehicle[leaves]] = True
    return outside
