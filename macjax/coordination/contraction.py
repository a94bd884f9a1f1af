"""What is known of the price iteration before it runs: steps and iterations.

With kappa the Lipschitz constant of c' and nu_n = 1 / (2 a_n) that of an EV's answer,
L = kappa sum_n nu_n (N kappa nu for N identical EVs):

    source     ||p+ - q+||_1 <= alpha ||p - q||_1,  alpha = |1 - eta| + 2 L eta,
               a contraction for 2 L < 1 and 0 < eta < 2 / (1 + 2 L)
    spectrum   the answers are the gradient of a concave function of p, so for affine c'
               p - P(p) has a symmetric Jacobian with spectrum in [1, 1 + L]:
               alpha = max(|1 - eta|, |1 - eta (1 + L)|) in the 2-norm, a contraction
               for 0 < eta < 2 / (1 + L) whatever L is, fastest at eta = 2 / (2 + L)

Where c'' varies between kappa_min and kappa, each step is one of steepest descent on a
convex function in a metric that varies as much, which falls for
0 < eta < 2 / (kappa / kappa_min + L); there is no factor alpha to tell then.

Iterations until ||p - p**||_1 <= epsilon, from ||p0 - p**||_1 <= D:

    K = ceil(ln(epsilon / D) / ln(alpha)) .

In the 2-norm D is T times the largest error of a slot, as ||.||_1 <= sqrt(T) ||.||_2.
Reference: Zou, Ma, Hiskens, Automatica 69 (2016); the slides print nu and kappa as
constants of g^-1 and c, meant are those of the inverse of g' and of c'.
"""

import dataclasses
import math

from macjax.coordination.cost import is_affine


@dataclasses.dataclass(frozen=True)
class Contraction:
    """Condition, steps and iterations, known before the run.

    Arguments:
        cost_lipschitz: kappa, largest c'' on the range of demand
            [currency/(kW kWh)].
        cost_curvature: kappa_min, least c'' there [currency/(kW kWh)].
        answer_lipschitz: sum_n nu_n [kW per currency/kWh].
        step: eta that is asked about [1].
        tolerance: epsilon [currency/kWh].
        distance: D, what ||p0 - p**||_1 cannot exceed [currency/kWh].
        slot_distance: what the error of one slot cannot exceed [currency/kWh].
        slots: T, how many slots there are.
    """

    cost_lipschitz: float
    cost_curvature: float
    answer_lipschitz: float
    step: float
    tolerance: float
    distance: float
    slot_distance: float
    slots: int

    @property
    def coupling(self) -> float:
        """L = kappa sum_n nu_n, a ratio of slopes."""
        return self.cost_lipschitz * self.answer_lipschitz

    @property
    def affine(self) -> bool:
        """Whether marginal cost is affine."""
        return is_affine(self.cost_curvature, self.cost_lipschitz)

    @property
    def holds(self) -> bool:
        """Whether the condition of the source holds, 2 L < 1."""
        return 2 * self.coupling < 1

    @property
    def source_step(self) -> float:
        """Steps (shares of the way to c') below this contract in the 1-norm; 0 where
        2 L >= 1."""
        return 2 / (1 + 2 * self.coupling) if self.holds else 0.0

    @property
    def guaranteed_step(self) -> float:
        """Steps (shares) below this converge: 2 / (1 + L), or less where c'' varies."""
        if self.affine:
            return max(2 / (1 + self.coupling), self.source_step)
        if self.cost_curvature <= 0:
            return self.source_step
        spread = self.cost_lipschitz / self.cost_curvature
        return max(2 / (spread + self.coupling), self.source_step)

    @property
    def best_step(self) -> float:
        """The step (share) of the fastest guaranteed rate: 2 / (2 + L), affine c'."""
        if self.affine:
            return 2 / (2 + self.coupling)
        return 0.5 * self.guaranteed_step

    @property
    def source_rate(self) -> float:
        """alpha of the source: a step's factor on the distance, in the 1-norm; may be 1
        and more."""
        return abs(1 - self.step) + 2 * self.coupling * self.step

    @property
    def spectral_rate(self) -> float:
        """alpha, a step's factor on the 2-norm distance; NaN unless c' is affine."""
        if not self.affine:
            return math.nan
        return max(abs(1 - self.step), abs(1 - self.step * (1 + self.coupling)))

    @property
    def guaranteed(self) -> bool:
        """Whether the iteration converges with this step for sure."""
        return 0 < self.step < self.guaranteed_step

    def source_iterations(self, distance: float | None = None) -> int | None:
        """K of the source; None where alpha is not below 1.

        Arguments:
            distance: ||p0 - p**||_1 to start from [currency/kWh]; None is D.
        """
        distance = self.distance if distance is None else distance
        return _iterations(self.tolerance, distance, self.source_rate)

    @property
    def iterations(self) -> int | None:
        """Iterations that suffice, the smaller of both bounds; None without one."""
        flat = self.slots * self.slot_distance
        spectral = _iterations(self.tolerance, flat, self.spectral_rate)
        known = [k for k in (self.source_iterations(), spectral) if k is not None]
        return min(known, default=None)

    def __str__(self) -> str:
        affine = "affine" if self.affine else "not affine"
        twice = 2 * self.coupling
        condition = "holds" if self.holds else "does not hold"
        lines = [
            f"marginal cost is {affine}, L = kappa sum nu = {self.coupling:.6g}",
            f"condition of the source: 2 L = {twice:.6g} < 1 {condition}"
            + (f", steps below {self.source_step:.5g}" if self.holds else ""),
        ]
        if not self.guaranteed_step:
            lines.append(
                "guaranteed: no step, c'' is 0 somewhere; step=None looks for one"
            )
            return "\n".join(lines)
        lines.append(
            f"guaranteed: steps below {self.guaranteed_step:.5g}, "
            f"best {self.best_step:.5g}"
        )
        if self.iterations is None:
            known = "converges" if self.guaranteed else "no guarantee"
            lines.append(f"step {self.step:.5g}: {known}, no bound on iterations")
        else:
            lines.append(
                f"step {self.step:.5g}: at most {self.iterations} iterations to "
                f"{self.tolerance:g}"
            )
        return "\n".join(lines)


def _iterations(tolerance: float, distance: float, rate: float) -> int | None:
    """K(epsilon), or None where the rate is none of a contraction."""
    if not 0 <= rate < 1:
        return None
    if distance <= tolerance:
        return 0
    if rate == 0:
        return 1
    return math.ceil(math.log(tolerance / distance) / math.log(rate))
