"""The commands of `backproof`, one file each."""
