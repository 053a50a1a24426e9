"""Which equation is wrong, in which layer, and why."""
