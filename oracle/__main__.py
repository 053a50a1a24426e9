"""`python -m backproof`: the command, where the console script is not on the path."""

from backproof.cli import main

main()
