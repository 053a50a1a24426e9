"""What a run leaves: its rows while it is under way, then its tables, verdict and page, whole or not at all."""
