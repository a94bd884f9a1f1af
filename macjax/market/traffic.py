"""What an exchange of prices and loads costs: messages and bytes of every round.

A message is one table between one feeder and one vehicle: down the prices of the slots
in which the vehicle can charge there, up its load in these slots. So a round takes

    messages = sum_n weight_n (feeders of n)      each way
    bytes    = 8 sum_n weight_n (slots of n)      each way, numbers in float64

with neither headers nor compression. Chargers without a feeder take no part.
"""

from typing import NamedTuple

import numpy as np

from macjax.fleet.packing import Fleet

NUMBER_BYTES = 8


class Traffic(NamedTuple):
    """Of one round in one direction, all vehicles counted by weight.

    Arguments:
        messages: tables sent.
        numbers: numbers in them.
        vehicles: vehicles that take part.
    """

    messages: float
    numbers: float
    vehicles: float

    @classmethod
    def of(cls, scenario, fleet: Fleet) -> "Traffic":
        """Count the feeders and slots of the charging stays of a packed fleet."""
        chains = fleet.chains
        weight = scenario.vehicles["weight"].to_numpy(np.float64)
        at = np.flatnonzero(chains.feeder >= 0)
        vehicle, feeder = chains.vehicle[at], chains.feeder[at].astype(np.int64)
        slots = np.ceil(chains.end[at]) - np.floor(chains.begin[at])
        pairs = np.unique(vehicle * max(len(scenario.feeders), 1) + feeder)
        owner = pairs // max(len(scenario.feeders), 1)
        return cls(
            messages=float(weight[owner].sum()),
            numbers=float((weight[vehicle] * np.maximum(slots, 1)).sum()),
            vehicles=float(weight[np.unique(vehicle)].sum()),
        )


class Sent(NamedTuple):
    """What was sent since the start; bytes are those of the numbers alone.

    Arguments:
        messages_down, messages_up: tables of prices and of loads.
        bytes_down, bytes_up: of these.
    """

    messages_down: float = 0.0
    messages_up: float = 0.0
    bytes_down: float = 0.0
    bytes_up: float = 0.0

    def and_round(self, traffic: Traffic, tables_down: int, tables_up: int) -> "Sent":
        """The same after one more round with so many tables each way."""
        size = NUMBER_BYTES * traffic.numbers
        return Sent(
            self.messages_down + tables_down * traffic.messages,
            self.messages_up + tables_up * traffic.messages,
            self.bytes_down + tables_down * size,
            self.bytes_up + tables_up * size,
        )
