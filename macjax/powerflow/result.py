"""`PowerFlow`: loading and voltage by method, slot and feeder, and what they tell."""

import dataclasses

import numpy as np
import pandas as pd

BASE = "base_load"
EXISTING, REINFORCED = "existing", "reinforced"
KEYS = ["method", "lines", "feeder_id"]
COUNTS = (
    "feeders",
    "within_capacity",
    "not_enough",
    "at_base_already",
    "line_over",
    "voltage_low",
    "voltage_high",
    "over_capacity_unharmed",
    "not_converged",
)
VERDICTS = (
    *COUNTS,
    "substations",
    "substations_over",
    "line_loading_percent",
    "lowest_pu",
)
# Columns of the rows that come from a flow: numbers, and whether a limit is exceeded.
READINGS = (
    "head_loading_percent",
    "line_loading_percent",
    "trafo_loading_percent",
    "lowest_pu",
    "highest_pu",
)
FLAGS = ("line_over", "trafo_over", "voltage_low", "voltage_high")
HARM = ["line_over", "voltage_low", "voltage_high"]


@dataclasses.dataclass(frozen=True)
class PowerFlow:
    """The result of `macjax.powerflow.check`.

    Arguments:
        rows: one row for every method, state of the lines, slot and feeder looked at:
            method (`base_load` is the load without EVs), lines (`existing`, or
            `reinforced` for the upgrades of the solution), time, feeder_id, mv_feeder,
            substation (number of the copy of the net), capacity_use (load / capacity
            by macjax's balance, upgrade counted where reinforced),
            head_loading_percent, line_loading_percent, line, trafo_loading_percent,
            lowest_pu, lowest_bus, highest_pu, line_over, trafo_over, voltage_low,
            voltage_high, converged, reason. Where `converged` is false the numbers are
            missing and `reason` says why.
        balance: method, lines, feeder_id and within_capacity: whether the load stays
            within the capacity (with the upgrade, where reinforced) in all slots of
            the horizon.
        places: feeder_id, mv_feeder, substation, peak_base_kw, rating_kw (active power
            at the head lines of the net that stands for the capacity).
        band_pu: the tightest limits of voltage at the feeders' buses.
        settings: what `check` was asked for.
        assumptions: what the numbers rest on, one sentence each.
    """

    rows: pd.DataFrame
    balance: pd.DataFrame
    places: pd.DataFrame
    band_pu: tuple[float, float]
    settings: dict
    assumptions: list[str]

    def by_feeder(self) -> pd.DataFrame:
        """One row for every method, state of the lines and feeder, worst over slots.

        method, lines, feeder_id, mv_feeder, substation, within_capacity, capacity_use,
        head_loading_percent, line_loading_percent, trafo_loading_percent, lowest_pu,
        highest_pu, line_over, trafo_over, voltage_low, voltage_high, harmed (line_over
        or voltage_low or voltage_high in some slot), harmed_at_base (the same with the
        base load alone), converged (in all slots).
        """
        rows = self.rows.assign(harmed=self.rows[HARM].any(axis=1))
        worst = dict.fromkeys(("mv_feeder", "substation"), "first")
        worst |= dict.fromkeys(("capacity_use", *READINGS), "max")
        worst |= dict.fromkeys((*FLAGS, "harmed"), "any")
        worst |= {"lowest_pu": "min", "converged": "all"}
        found = rows.groupby(KEYS, sort=False, as_index=False).agg(worst)
        found = found.merge(self.balance, on=KEYS, how="left", validate="1:1")
        base = found.loc[found["method"] == BASE].set_index("feeder_id")["harmed"]
        found["harmed_at_base"] = found["feeder_id"].map(base).astype(bool)
        order = [*KEYS, "mv_feeder", "substation", "within_capacity", "capacity_use"]
        order += [*READINGS, *FLAGS, "harmed", "harmed_at_base", "converged"]
        return found[order]

    def summary(self) -> pd.DataFrame:
        """What a capacity limit alone does not show, by method and state of the lines.

        Counts of feeders: feeders; within_capacity by macjax's balance; not_enough, of
        those, with a line or a voltage beyond its limit; at_base_already, of
        not_enough, harmed by the base load alone; line_over, voltage_low,
        voltage_high; over_capacity_unharmed, the opposite error; not_converged in some
        slot. Counts of copies of the net: substations, and substations_over, with a
        transformer above its limit. Extremes over all: line_loading_percent,
        lowest_pu. Only the slots that were looked at count.
        """
        found = self.by_feeder()
        within, harmed = found["within_capacity"], found["harmed"]
        over = self.rows[self.rows["trafo_over"]]
        flags = found.assign(
            feeders=True,
            not_enough=within & harmed,
            at_base_already=within & harmed & found["harmed_at_base"],
            over_capacity_unharmed=~within & ~harmed & found["converged"],
            not_converged=~found["converged"],
        )
        groups = flags.groupby(KEYS[:2], sort=False)
        counts = groups[list(COUNTS)].sum()
        counts["substations"] = groups["substation"].nunique()
        beyond = over.groupby(KEYS[:2])["substation"].nunique()
        counts["substations_over"] = beyond.reindex(counts.index, fill_value=0)
        counts["line_loading_percent"] = groups["line_loading_percent"].max()
        counts["lowest_pu"] = groups["lowest_pu"].min()
        return counts[list(VERDICTS)].reset_index()

    def report(self) -> str:
        """The summary and the assumptions, as text."""
        table = self.summary().set_index(KEYS[:2]).T
        shown = table.to_string(float_format=lambda value: f"{value:.4g}")
        return "\n".join(
            [shown, "", "Assumptions:", *(f"- {line}" for line in self.assumptions)]
        )


def blank_where(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with no numbers and no flags where `converged` is false.

    Element numbers become nullable, since a row without numbers names none.
    """
    bad = ~rows["converged"].to_numpy(bool)
    rows.loc[bad, list(READINGS)] = np.nan
    rows.loc[bad, list(FLAGS)] = False
    for name in ("line", "lowest_bus"):
        rows[name] = rows[name].astype("Int64").mask(bad)
    return rows
