"""Sources of truth with one signature (autograd, exact arithmetic), and what rounding may add to a true value."""
