"""The wheel holds the three folders under one name, and nothing else; every way to install it works."""

import email
import shutil
import site
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {"oracle": "backproof", "reports": "backproof/reports", "scratch": "backproof/scratch"}


def run(*command, folder):
    """What a command prints on stdout; its stderr is the message if it fails."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The part of the repository that a build reads, copied, so that building leaves nothing in the real one."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "out"))
    return folder


@pytest.fixture(scope="module")
def wheel(clone, tmp_path_factory):
    """The wheel, built without the network."""
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, clone, folder=out)
    (path,) = out.iterdir()
    return path


def dist_info(wheel, name):
    """One file of the wheel's metadata, as text."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith(f".dist-info/{name}"))
        return archive.read(path).decode()


def test_wheel_holds_every_file_of_the_house(wheel, clone):
    """Each module, each py.typed and the page's templates are in the wheel, and beside them only metadata: no tests."""
    expected = {
        f"{package}/{path.relative_to(clone / folder).as_posix()}"
        for folder, package in FOLDERS.items()
        for path in (clone / folder).rglob("*")
        if path.suffix == ".py" or path.name == "py.typed" or path.parent.name == "templates"
    }
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert {"backproof/py.typed", "backproof/scratch/backprop.py", "backproof/reports/templates/page.html"} <= expected
    assert found == expected


def test_wheel_installs_the_command(wheel):
    """`backproof` on the command line is backproof.cli's main."""
    entries = ConfigParser()
    entries.read_string(dist_info(wheel, "entry_points.txt"))
    assert dict(entries["console_scripts"]) == {"backproof": "backproof.cli:main"}


def test_torch_is_an_extra(wheel):
    """Whoever installs Backproof without extras does not get PyTorch."""
    metadata = email.message_from_string(dist_info(wheel, "METADATA"))
    assert {"torch", "digits"} <= set(metadata.get_all("Provides-Extra"))
    (torch,) = (line for line in metadata.get_all("Requires-Dist") if line.startswith("torch"))
    assert 'extra == "torch"' in torch
    assert metadata["License-Expression"] == "MIT"


def test_installed_wheel_is_importable(wheel, tmp_path):
    """After a plain installation the three packages come from where they were installed."""
    run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        tmp_path,
        wheel,
        folder=tmp_path,
    )
    where = "import sys; sys.path.insert(0, sys.argv[1])\n"
    where += "import backproof, backproof.reports, backproof.scratch as room\nprint(room.__file__)"
    printed = run(sys.executable, "-I", "-c", where, tmp_path, folder=tmp_path)
    assert Path(printed.strip()) == tmp_path / "backproof" / "scratch" / "__init__.py"


def test_editable_installation_reads_the_clone(clone, tmp_path):
    """`pip install -e .` makes the clone's folders importable under their installed names."""
    build = "import sys; from setuptools import build_meta\nprint(build_meta.build_editable(sys.argv[1]))"
    name = run(sys.executable, "-c", build, tmp_path, folder=clone).splitlines()[-1]
    with zipfile.ZipFile(tmp_path / name) as archive:
        archive.extractall(tmp_path / "site")
    # A real installation would have replaced the copy under test; here the clone's finder is asked before the others.
    where = "import site, sys\nsite.addsitedir(sys.argv[1]); sys.meta_path.reverse(); sys.path += sys.argv[2:]\n"
    where += "import backproof.scratch as room\nprint(room.__file__)"
    printed = run(sys.executable, "-I", "-S", "-c", where, tmp_path / "site", *site.getsitepackages(), folder=tmp_path)
    assert Path(printed.strip()) == clone / "scratch" / "__init__.py"


def test_command_says_what_it_does():
    """The installed console script starts, and its help names the main job."""
    assert "check" in run(Path(sys.executable).with_name("backproof"), "--help", folder=Path(sys.prefix))


def test_ci_runs_the_test_command_of_the_readme():
    """What the README tells a newcomer to type is what the server runs."""
    command = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]
    assert command.endswith("tox run")
    assert command in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
