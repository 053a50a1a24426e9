"""Many cases: shards, who examines them, what is kept of them, and what they add up to."""
