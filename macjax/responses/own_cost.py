"""What a vehicle minds beside the prices, in the unit of the prices of cells.

A vehicle that pays pi_c per kW at each opportunity j, of which a kWh into the battery
needs 1 / e kW (e = efficiency x slot hours), minimises over its set, times e,

    sum_j [ (pi_c(j) + slope) u_j + curve / 2 u_j^2 ] + worth (wanted - S)^2

with S the energy it gets over the horizon. Smoothing, battery degradation and a
quadratic charge on its power are `curve` and `slope`, the benefit of energy is `worth`.

The benefit is served by the tube itself: v = upper - S, what the vehicle leaves out,
is one more opportunity of its last piece, 0 <= v <= upper - lower, which follows the
shadow price as  v = theta / (2 worth) + upper - wanted,  and S + v = upper is what the
tube then asks of the last piece.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from macjax.fleet.packing import FleetBatch
from macjax.sets.soc_tube import SocTube


class PackedCost(eqx.Module):
    """Own costs of the vehicles of a packed fleet; None is 0 for all.

    Arguments:
        curve: second derivative at each opportunity [price/kWh].
        slope: cost of each kWh into the battery [price].
        worth: of the squared lack of energy, with `wanted` [price/kWh].
        wanted: energy into the battery that the vehicle wants at most [kWh].
        some_straight: whether some vehicles have curve 0 though it is given (static).
    """

    curve: Float[Array, "*b k v"] | None = None
    slope: Float[Array, "*b k v"] | None = None
    worth: Float[Array, "*b k v"] | None = None
    wanted: Float[Array, "*b k v"] | None = None
    some_straight: bool = eqx.field(static=True, default=False)


NO_COST = PackedCost()


class Ending(NamedTuple):
    """The tube of a block, and the energy that its vehicles leave out at the end.

    Arguments:
        tube: S + v = upper behind the last piece where there is a benefit of energy.
        left: what follows the shadow price there; None without any benefit.
    """

    tube: SocTube
    left: "LeftOut | None"

    @classmethod
    def of(cls, block: FleetBatch, own: PackedCost) -> "Ending":
        """The ending of a block with its own costs."""
        tube = SocTube(block.lower, block.upper, block.last)
        if own.worth is None or own.wanted is None:
            return cls(tube, None)
        here = block.last & (own.worth > 0) & jnp.isfinite(block.upper)
        upper = jnp.where(here, block.upper, 0)
        left = LeftOut(
            gain=jnp.where(here, 0.5 / jnp.where(here, own.worth, 1), 0),
            center=jnp.where(here, upper - own.wanted, 0),
            most=jnp.where(here, upper - jnp.maximum(block.lower, 0), 0),
        )
        lower = jnp.where(here, block.upper, block.lower)
        return cls(SocTube(lower, block.upper, block.last), left)


class LeftOut(NamedTuple):
    """v of the last pieces, as a clipped line of the shadow price.

    Arguments:
        gain: 1 / (2 worth), 0 where there is no benefit of energy.
        center: v at the shadow price 0 [kWh].
        most: most v [kWh].
    """

    gain: Float[Array, "k v"]
    center: Float[Array, "k v"]
    most: Float[Array, "k v"]

    @property
    def is_there(self) -> Bool[Array, "k v"]:
        """Where there is a benefit of energy."""
        return self.gain > 0

    def at(self, shadow: Float[Array, "k v"]) -> Float[Array, "k v"]:
        """v at given shadow prices [kWh], infinite ones too."""
        # 0 x infinity is no number where there is no benefit.
        moved = jnp.where(self.is_there, self.gain * shadow, 0)
        return jnp.clip(self.center + moved, 0, self.most)

    def bracket(self) -> tuple[Float[Array, "k v"], Float[Array, "k v"]]:
        """Shadow prices between which v moves; inf and -inf where there is none."""
        gain = jnp.where(self.is_there, self.gain, 1)
        begins = jnp.where(self.is_there, -self.center / gain, jnp.inf)
        ends = jnp.where(self.is_there, (self.most - self.center) / gain, -jnp.inf)
        return begins, ends
