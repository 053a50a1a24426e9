"""What holds for every test: Hypothesis' profiles, one thread for PyTorch."""

import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)

# No deadline and no `too_slow`: how long an example takes says something about the machine, nothing about a gradient.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples every time, so that what is red on a server is red at home: `tox run -e tests`.
settings.register_profile(
    "ci", parent=settings.get_profile("default"), max_examples=30, derandomize=True, print_blob=True
)
# For a night: `tox run -e fuzz`.
settings.register_profile("fuzz", parent=settings.get_profile("default"), max_examples=5_000, print_blob=True)
# `--hypothesis-profile` on the command line comes after this and chooses another.
settings.load_profile("default")
