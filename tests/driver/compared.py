"""What workers tell of a solution, and what their tests compare."""


def numbers(solution) -> dict:
    """Status, values, prices and loads, ready for JSON."""
    return {
        "status": str(solution.status),
        "objective": solution.objective,
        "lower_bound": solution.lower_bound,
        "gap": solution.gap,
        "iterations": solution.iterations,
        "devices": solution.settings["devices"],
        "processes": solution.settings["processes"],
        "prices": solution.price_table.ravel().tolist(),
        "loads": solution.loads()["ev_kw"].tolist(),
    }
