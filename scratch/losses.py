"""LOSSES: every loss by name.

Names and parameters are torch.nn.functional's; the textbook forms that torch lacks state their constant. What each
loss is stands in regression_losses, classification_losses and margin_losses.
"""

from backproof.scratch.classification_losses import (
    Bce,
    BceWithLogits,
    CategoricalCrossEntropy,
    CrossEntropy,
    KlDiv,
    Nll,
)
from backproof.scratch.margin_losses import (
    HingeEmbedding,
    MultilabelMargin,
    MultilabelSoftMargin,
    MultiMargin,
    SoftMargin,
)
from backproof.scratch.objective import Loss
from backproof.scratch.regression_losses import (
    L1,
    GaussianNll,
    HalfSquaredError,
    Huber,
    Linear,
    Mse,
    PoissonNll,
    SmoothL1,
)

LOSSES: dict[str, type[Loss]] = {
    "mse": Mse,
    "l1": L1,
    "smooth_l1": SmoothL1,
    "huber": Huber,
    "bce": Bce,
    "bce_with_logits": BceWithLogits,
    "cross_entropy": CrossEntropy,
    "nll": Nll,
    "kl_div": KlDiv,
    "poisson_nll": PoissonNll,
    "gaussian_nll": GaussianNll,
    "hinge_embedding": HingeEmbedding,
    "soft_margin": SoftMargin,
    "multilabel_soft_margin": MultilabelSoftMargin,
    "multi_margin": MultiMargin,
    "multilabel_margin": MultilabelMargin,
    "half_squared_error": HalfSquaredError,
    "categorical_cross_entropy": CategoricalCrossEntropy,
    "linear": Linear,
}
