"""Objectives: records that users name, and their value, prox and conjugate."""

from macjax.objectives.compile import FeederTermsData, feeder_terms
from macjax.objectives.dual_prices import clip_prices, unused_price
from macjax.objectives.feeder import FeederTerms, conjugate, prox, value
from macjax.objectives.sensitivity import (
    ProxDerivative,
    apply_prox_derivative,
    prox_derivative,
)
from macjax.objectives.specs import (
    EnergyCost,
    FeederCapacity,
    Objective,
    OverloadEnergy,
    PeakOverload,
    Smoothing,
    SquaredOverload,
    Sum,
    objective_from_dict,
)

__all__ = [
    "EnergyCost",
    "FeederCapacity",
    "FeederTerms",
    "FeederTermsData",
    "Objective",
    "OverloadEnergy",
    "PeakOverload",
    "ProxDerivative",
    "Smoothing",
    "SquaredOverload",
    "Sum",
    "apply_prox_derivative",
    "clip_prices",
    "conjugate",
    "feeder_terms",
    "objective_from_dict",
    "prox",
    "prox_derivative",
    "unused_price",
    "value",
]
