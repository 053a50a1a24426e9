"""LOSS_BOUNDS: how far rounding may move each loss and its gradient dC/da, before the reduction's scale."""

from __future__ import annotations

from backproof.truth import distance_bounds, likelihood_bounds, margin_bounds
from backproof.truth.loss_terms import LossBound

LOSS_BOUNDS: dict[str, LossBound] = {
    "mse": distance_bounds.mse,
    "l1": distance_bounds.l1,
    "smooth_l1": distance_bounds.smooth_l1,
    "huber": distance_bounds.huber,
    "half_squared_error": distance_bounds.half_squared_error,
    "gaussian_nll": distance_bounds.gaussian_nll,
    "linear": distance_bounds.linear,
    "bce": likelihood_bounds.bce,
    "categorical_cross_entropy": likelihood_bounds.categorical_cross_entropy,
    "nll": likelihood_bounds.nll,
    "kl_div": likelihood_bounds.kl_div,
    "poisson_nll": likelihood_bounds.poisson_nll,
    "bce_with_logits": likelihood_bounds.bce_with_logits,
    "soft_margin": likelihood_bounds.soft_margin,
    "multilabel_soft_margin": likelihood_bounds.multilabel_soft_margin,
    "cross_entropy": likelihood_bounds.cross_entropy,
    "hinge_embedding": margin_bounds.hinge_embedding,
    "multi_margin": margin_bounds.multi_margin,
    "multilabel_margin": margin_bounds.multilabel_margin,
}
