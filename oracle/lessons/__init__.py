"""The texts behind `backproof explain`, with examples that are computed as they are printed."""
