"""What a result depends on besides its cases."""

import json

import numpy as np

from backproof.environment import environment, release, version


def test_environment_names_versions_and_blas():
    """Enough to tell two machines apart, as plain JSON; nothing that differs between two runs on one."""
    found = environment()
    assert found["packages"]["numpy"] == np.__version__
    assert found["packages"]["torch"] == version("torch")
    assert found["blas"]["name"]
    assert json.loads(json.dumps(found)) == found == environment()


def test_release_leaves_out_the_build():
    """The same PyTorch is built for many machines."""
    assert [release(text) for text in ("2.13.0+cpu", "2.13.0", "", None)] == ["2.13.0", "2.13.0", "", ""]


def test_version_of_what_is_not_installed_is_none():
    """Not an exception: torch may be absent."""
    assert version("no-such-distribution") is None
