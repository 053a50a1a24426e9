"""What is said of a network that was given what it cannot be: one class for each kind of mistake."""


class RequirementError(ValueError):
    """A network was given something that it cannot be, or that makes no sense."""


class ShapeError(RequirementError):
    """An array has the wrong shape, or a sequence the wrong length."""


class DtypeError(RequirementError, TypeError):
    """An array has the wrong dtype."""


class NotFiniteError(RequirementError):
    """An array holds NaN or infinity."""


class UnknownNameError(RequirementError):
    """There is no activation, loss, reduction or option of that name."""


class OptionError(RequirementError):
    """An option of an activation, a loss or an optimizer is missing or has a value that makes no sense."""


class TargetError(RequirementError):
    """The targets are not of the kind that the loss takes."""


class PairingError(RequirementError):
    """Two settings do not go together: a loss and the activation before it, or a reduction and the rest."""
