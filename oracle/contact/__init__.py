"""Before the first check: what a candidate looks like, and the adapter that fits it."""
