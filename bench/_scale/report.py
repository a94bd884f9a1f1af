"""Tables, growth exponents and the figure of `bench/scale.py`."""

from pathlib import Path
from typing import Any

import numpy as np

FLEET_COLUMNS = (
    ("EVs", "evs", "{:,.0f}"),
    ("status", "status", "{}"),
    ("gap", "certificate.gap", "{:.1e}"),
    ("load", "load_s", "{:.2f}"),
    ("valid.", "validate_s", "{:.2f}"),
    ("pack", "warm.seconds.pack", "{:.2f}"),
    ("compile", "first.seconds.compile", "{:.1f}"),
    ("first", "first_s", "{:.1f}"),
    ("warm", "warm_s", "{:.2f}"),
    ("certify", "certify_s", "{:.2f}"),
    ("it.", "warm.iterations", "{:.0f}"),
    ("ms/ADMM it.", "admm_s_per_iteration", "{:.3f}", 1e3),
    ("24 B share", "copy_share_24", "{:.1%}"),
    ("packed share", "copy_share_packed", "{:.1%}"),
    ("host GiB", "solve_peak_gib", "{:.2f}"),
    ("device GiB", "device_peak_gib", "{:.2f}"),
    ("held GiB", "device_held_gib", "{:.2f}"),
)
PEER_COLUMNS = (
    ("EVs", "evs", "{:,.0f}"),
    ("solver", "peer", "{}"),
    ("status", "status", "{}"),
    ("tolerance", "tolerance", "{:.0e}"),
    ("gap", "gap", "{:.1e}"),
    ("certified", "certified", "{}"),
    ("seconds", "seconds", "{:.2f}"),
    ("x macjax", "times_macjax", "{:.1f}"),
    ("compile", "compile_s", "{:.1f}"),
    ("moved kWh", "moved_kwh", "{:.2g}"),
    ("host GiB", "peak_gib", "{:.2f}"),
)


def look_up(record: dict, path: str):
    """A value of nested records by a path with dots, or None."""
    value: Any = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def cell(record: dict, column: tuple) -> str:
    """One entry of a table; `-` where there is none."""
    _, path, form, *factor = column
    value = look_up(record, path)
    if value is None:
        return "-"
    return form.format(value * factor[0] if factor else value)


def table(records: list[dict], columns: tuple) -> str:
    """Records as a Markdown table, its columns aligned."""
    rows = [[column[0] for column in columns]]
    rows += [[cell(record, column) for column in columns] for record in records]
    widths = [max(map(len, entries)) for entries in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(x.rjust(w) for x, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (w + 1) + ":" for w in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def peer_rows(sizes: list[dict]) -> list[dict]:
    """One row for each attempt of each peer, the fleet's own solve first."""
    rows = []
    for size in sizes:
        own = size.get("macjax", {})
        if size.get("peers") is None:
            continue
        rows.append(
            {
                "evs": size["evs"],
                "peer": "macjax (warm)",
                "status": own.get("status"),
                "gap": look_up(own, "certificate.gap"),
                "certified": is_certified(size),
                "seconds": own.get("warm_s"),
                "compile_s": look_up(own, "first.seconds.compile"),
                "peak_gib": own.get("solve_peak_gib"),
            }
        )
        for peer in size["peers"]:
            for attempt in peer.get("attempts") or [peer]:
                row = {"evs": size["evs"], "peer": peer["peer"], **attempt}
                if row.get("certified") and own.get("warm_s"):
                    row["times_macjax"] = row["seconds"] / own["warm_s"]
                rows.append(row)
    return rows


def is_certified(size: dict) -> bool:
    """Whether the certificate grants a fleet's own solve the gap that was wanted."""
    gap = look_up(size, "macjax.certificate.gap")
    feasible = look_up(size, "macjax.certificate.feasible")
    return bool(feasible) and gap is not None and gap <= size["gap"]


def curves(sizes: list[dict]) -> dict[str, list[tuple[int, float]]]:
    """Certified times by solver: points (EVs, seconds)."""
    found: dict[str, list[tuple[int, float]]] = {}
    for size in sizes:
        if is_certified(size):
            seconds = size["macjax"]["warm_s"]
            found.setdefault("macjax (warm)", []).append((size["evs"], seconds))
            first = size["macjax"]["first_s"]
            found.setdefault("macjax (first, compiles)", []).append(
                (size["evs"], first)
            )
        for peer in size.get("peers") or []:
            if peer.get("certified"):
                point = (size["evs"], peer["seconds"])
                found.setdefault(peer["peer"], []).append(point)
    return found


def exponent(points: list[tuple[int, float]]) -> float | None:
    """Least-squares slope of log seconds over log EVs, None for one size alone."""
    if len({evs for evs, _ in points}) < 2:
        return None
    evs, seconds = np.log(np.array(points, float)).T
    return float(np.polyfit(evs, seconds, 1)[0])


def exponents(sizes: list[dict]) -> dict[str, dict]:
    """Growth of each solver: over all its sizes, and over the last two."""
    return {
        name: {
            "all": exponent(points),
            "last_two": exponent(points[-2:]),
            "evs": [evs for evs, _ in points],
        }
        for name, points in curves(sizes).items()
    }


def summary(record: dict) -> str:
    """All tables as text."""
    sizes = record["sizes"]
    own = [{"evs": s["evs"], **s.get("macjax", {})} for s in sizes]
    parts = [table(own, FLEET_COLUMNS)]
    rows = peer_rows(sizes)
    if rows:
        parts.append(table(rows, PEER_COLUMNS))
    parts += [*best_peers(rows), *growth_lines(record["exponents"])]
    return "\n\n".join(parts)


def best_peers(rows: list[dict]) -> list[str]:
    """A line for each size and family of peers: the fastest that certifies."""
    found: dict[tuple, dict] = {}
    for row in rows:
        if "times_macjax" not in row:
            continue
        key = (row["evs"], row["peer"].split("-")[0])
        if key not in found or row["seconds"] < found[key]["seconds"]:
            found[key] = row
    return [
        f"{evs:,} EVs, best of {family}: {row['peer']}, {row['seconds']:.2f} s, "
        f"{row['times_macjax']:.1f} times macjax"
        for (evs, family), row in found.items()
    ]


def growth_lines(exponents: dict[str, dict]) -> list[str]:
    """A line for each solver with two sizes or more."""
    lines = []
    for name, growth in exponents.items():
        evs = growth["evs"]
        if growth["all"] is None:
            continue
        line = f"{name}: seconds grow like EVs^{growth['all']:.2f} over "
        line += f"{evs[0]:,} to {evs[-1]:,} EVs"
        if len(evs) > 2:
            line += f", ^{growth['last_two']:.2f} between the last two"
        lines.append(line)
    return lines


def draw(record: dict, path: Path) -> None:
    """Time against size, both axes logarithmic, with the fitted exponents."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name, points in curves(record["sizes"]).items():
        evs, seconds = zip(*points, strict=True)
        growth = record["exponents"][name]["all"]
        label = name if growth is None else f"{name}, EVs^{growth:.2f}"
        style = "--" if "compiles" in name else "-"
        axes.loglog(evs, seconds, style, marker="o", label=label)
    settings = record["settings"]
    hours = settings["slots"] * settings["slot_minutes"] / 60
    axes.set(
        xlabel="EVs",
        ylabel=f"seconds to a certified gap of {settings['gap']:g}",
        title=f"{settings['kind']} fleets, {settings['slots']} slots, {hours:g} h",
    )
    axes.grid(True, which="both", alpha=0.3)
    if axes.lines:
        figure.legend(loc="outside right center", fontsize="small")
    figure.savefig(path, dpi=150)
    plt.close(figure)
