"""The objectives that users name, as frozen records that add with `+`.

With P the EV load of a feeder [kW], H its headroom (capacity less base load) [kW],
x = P - H the overload and dt the slot [h]:

    PeakOverload      sum_f cost_f max_t (x_ft)_+
    OverloadEnergy    sum_f cost_f dt sum_t (x_ft)_+
    SquaredOverload   sum_f cost_f / 2 dt sum_t (x_ft)_+^2
    FeederCapacity    0 if all x_ft <= 1e-3 max(1 kW, capacity_ft), else inf
    EnergyCost        dt sum_ft price_ft P_ft
    Smoothing         epsilon / 2 sum_n weight_n sum_j u_nj^2, u in battery kWh

`PeakOverload() + EnergyCost(0.1)` is their sum.
"""

import abc
import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from macjax._errors import SettingsError, nearest
from macjax.objectives.compile import FeederTermsData, feeder_terms
from macjax.objectives.costs import (
    Cost,
    checked_cost,
    costs_of_feeders,
    finite,
    nonnegative,
)
from macjax.objectives.feeder import FeederTerms
from macjax.objectives.price_table import checked_prices, expanded_prices


class Objective(abc.ABC):
    """What all objectives share: sums, coefficients on a scenario, a JSON record."""

    @abc.abstractmethod
    def contribute(self, data: FeederTermsData, scenario) -> FeederTermsData:
        """The coefficients with this objective added.

        Arguments:
            data: coefficients so far.
            scenario: gives feeders, slots and their length.
        """

    def __add__(self, other: "Objective") -> "Sum":
        if not isinstance(other, Objective):
            return NotImplemented
        return Sum((self, other))

    def __radd__(self, other) -> "Objective":
        """Let the builtin `sum`, which starts from 0, add objectives."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def terms(self, scenario, dtype=None) -> FeederTerms:
        """The objective on a scenario, for `value`, `prox` and `conjugate`.

        Arguments:
            scenario: a `Scenario`.
            dtype: of the arrays; None is JAX's default float.
        """
        return FeederTerms.from_data(feeder_terms(self, scenario), dtype)

    def to_dict(self) -> dict:
        """A record of plain JSON values; `objective_from_dict` is its inverse."""
        fields = dataclasses.fields(self)  # pyright: ignore[reportArgumentType]
        record = {f.name: _plain(getattr(self, f.name)) for f in fields}
        return {"type": type(self).__name__} | record


@dataclasses.dataclass(frozen=True)
class PeakOverload(Objective):
    """Cost of the largest overload of each feeder: sum_f cost_f max_t (x_ft)_+.

    With cost 300 a feeder with headroom 10 kW and EV loads of 12, 15 and 9 kW
    counts 300 * 5 = 1500.

    Arguments:
        cost: a number, or a mapping or Series by feeder_id [currency/kW]; None takes
            `upgrade_cost_per_kw` of the feeders table.
    """

    cost: Cost | None = None

    def __post_init__(self):
        if self.cost is not None:
            object.__setattr__(self, "cost", checked_cost(self.cost, "PeakOverload"))

    def contribute(self, data: FeederTermsData, scenario) -> FeederTermsData:
        """Add cost to kappa."""
        cost = costs_of_feeders(self.cost, scenario, "PeakOverload")
        return data._replace(kappa=data.kappa + cost)


@dataclasses.dataclass(frozen=True)
class OverloadEnergy(Objective):
    """Cost of each kWh above the headroom: sum_f cost_f dt sum_t (x_ft)_+.

    With cost 2 and slots of half an hour a feeder with headroom 10 kW and EV loads
    of 12, 15 and 9 kW counts 2 * 0.5 * (2 + 5) = 7.

    Arguments:
        cost: a number, or a mapping or Series by feeder_id [currency/kWh].
    """

    cost: Cost = 1.0

    def __post_init__(self):
        object.__setattr__(self, "cost", checked_cost(self.cost, "OverloadEnergy"))

    def contribute(self, data: FeederTermsData, scenario) -> FeederTermsData:
        """Add cost * dt to linear."""
        cost = costs_of_feeders(self.cost, scenario, "OverloadEnergy")
        return data._replace(linear=data.linear + cost * scenario.slot_hours)


@dataclasses.dataclass(frozen=True)
class SquaredOverload(Objective):
    """Half the squared overload over time: sum_f cost_f / 2 dt sum_t (x_ft)_+^2.

    With cost 2 and slots of half an hour a feeder with headroom 10 kW and EV loads
    of 12, 15 and 9 kW counts 2 / 2 * 0.5 * (4 + 25) = 14.5.

    Arguments:
        cost: a number, or a mapping or Series by feeder_id [currency/(kW^2 h)].
    """

    cost: Cost = 1.0

    def __post_init__(self):
        object.__setattr__(self, "cost", checked_cost(self.cost, "SquaredOverload"))

    def contribute(self, data: FeederTermsData, scenario) -> FeederTermsData:
        """Add cost * dt to quadratic."""
        cost = costs_of_feeders(self.cost, scenario, "SquaredOverload")
        return data._replace(quadratic=data.quadratic + cost * scenario.slot_hours)


@dataclasses.dataclass(frozen=True)
class FeederCapacity(Objective):
    """A hard limit: 0 if every x_ft <= 1e-3 max(1 kW, capacity_ft), else inf.

    Overload within the tolerance counts 0 in a sum too, whatever else it would cost.
    A feeder of capacity 40 kW with headroom 10 kW and EV loads of 10.03 and 9 kW
    counts 0; with 10.05 kW it counts inf.
    """

    def contribute(self, data: FeederTermsData, scenario) -> FeederTermsData:
        """Make every feeder hard."""
        return data._replace(hard=np.ones_like(data.hard))


@dataclasses.dataclass(frozen=True)
class EnergyCost(Objective):
    """A price for the energy itself: dt sum_ft price_ft P_ft.

    At 0.2 per kWh and slots of half an hour, EV loads of 12, 15 and 9 kW count
    0.5 * 0.2 * 36 = 3.6.

    Arguments:
        prices: one price for all, or a frame with `price` [currency/kWh], `time`
            (slot start) or `hour` (0 to 23, local), and `feeder_id` if feeders
            differ. Prices may be negative. Chargers without a feeder pay nothing.
    """

    prices: float | pd.DataFrame

    def __post_init__(self):
        if isinstance(self.prices, pd.DataFrame):
            prices = checked_prices(self.prices)
        else:
            prices = finite(self.prices, "EnergyCost.prices", "a number or a frame")
        object.__setattr__(self, "prices", prices)

    def __eq__(self, other) -> bool:
        if not isinstance(other, EnergyCost):
            return NotImplemented
        if isinstance(self.prices, float | int):
            return isinstance(other.prices, float) and self.prices == other.prices
        return self.prices.equals(other.prices)

    def __repr__(self) -> str:
        if isinstance(self.prices, float | int):
            return f"EnergyCost(prices={self.prices})"
        columns = ", ".join(self.prices.columns)
        return f"EnergyCost(prices=<{len(self.prices)} rows of {columns}>)"

    def contribute(self, data: FeederTermsData, scenario) -> FeederTermsData:
        """Add price * dt to energy."""
        if isinstance(self.prices, float | int):
            prices = np.full_like(data.energy, self.prices)
        else:
            prices = expanded_prices(self.prices, scenario)
        return data._replace(energy=data.energy + prices * scenario.slot_hours)


@dataclasses.dataclass(frozen=True)
class Smoothing(Objective):
    """A small cost per vehicle that spreads its charging and makes it unique:
    epsilon / 2 sum_n weight_n sum_j u_nj^2, u_nj the battery kWh of opportunity j.

    With epsilon 0.01 a vehicle of weight 2 that charges 3 kWh and 4 kWh in two
    slots counts 0.005 * 2 * 25 = 0.25.

    Arguments:
        epsilon: >= 0 [currency/kWh^2].
    """

    epsilon: float

    def __post_init__(self):
        epsilon = nonnegative(self.epsilon, "Smoothing.epsilon")
        object.__setattr__(self, "epsilon", epsilon)

    def contribute(self, data: FeederTermsData, scenario) -> FeederTermsData:
        """Add epsilon."""
        return data._replace(epsilon=data.epsilon + self.epsilon)


@dataclasses.dataclass(frozen=True)
class Sum(Objective):
    """The sum of its parts; sums in sums are laid flat.

    `PeakOverload(300) + EnergyCost(0.2)` on the feeder of their examples, with half
    hour slots, counts 1500 + 3.6.

    Arguments:
        parts: objectives, at least one.
    """

    parts: tuple[Objective, ...]

    def __post_init__(self):
        flat: list[Objective] = []
        for part in self.parts:
            if not isinstance(part, Objective):
                raise SettingsError(f"Sum: every part is an objective, not {part!r}")
            flat += part.parts if isinstance(part, Sum) else (part,)
        if not flat:
            raise SettingsError("Sum: at least one objective is needed")
        object.__setattr__(self, "parts", tuple(flat))

    def contribute(self, data: FeederTermsData, scenario) -> FeederTermsData:
        """Add every part."""
        for part in self.parts:
            data = part.contribute(data, scenario)
        return data


_KINDS: dict[str, type[Objective]] = {
    kind.__name__: kind
    for kind in (
        PeakOverload,
        OverloadEnergy,
        SquaredOverload,
        FeederCapacity,
        EnergyCost,
        Smoothing,
        Sum,
    )
}


def objective_from_dict(record: Mapping) -> Objective:
    """The objective of which `Objective.to_dict` made the record."""
    if not isinstance(record, Mapping) or "type" not in record:
        raise SettingsError(f"objective: a record with 'type', not {record!r}")
    kind = _KINDS.get(str(record["type"]))
    if kind is None:
        hint = nearest(str(record["type"]), _KINDS)
        raise SettingsError(f"objective: unknown type {record['type']!r}; {hint}")
    fields = {name: v for name, v in record.items() if name != "type"}
    known = [f.name for f in dataclasses.fields(kind)]  # pyright: ignore[reportArgumentType]
    for name in fields:
        if name not in known:
            hint = nearest(name, known) if known else "it takes none"
            raise SettingsError(f"{kind.__name__}: unknown key {name!r}; {hint}")
    try:
        return kind(**{name: _parsed(v) for name, v in fields.items()})
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{kind.__name__}: {error}") from error


def _plain(value):
    """A field as JSON: costs by feeder as pairs, since JSON keys are text."""
    if isinstance(value, dict):
        return {"by_feeder": [[key, cost] for key, cost in value.items()]}
    if isinstance(value, pd.DataFrame):
        columns = {str(name): column.tolist() for name, column in value.items()}
        if "time" in columns:
            columns["time"] = [time.isoformat() for time in columns["time"]]
        return {"columns": columns}
    if isinstance(value, tuple):
        return [part.to_dict() for part in value]
    return value


def _parsed(value):
    """The inverse of `_plain`."""
    if isinstance(value, Mapping) and set(value) == {"by_feeder"}:
        return {key: cost for key, cost in value["by_feeder"]}
    if isinstance(value, Mapping) and set(value) == {"columns"}:
        return pd.DataFrame(value["columns"])
    if isinstance(value, list):
        return tuple(objective_from_dict(part) for part in value)
    return value
