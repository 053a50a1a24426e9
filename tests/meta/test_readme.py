"""What the README shows is what happens."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backproof.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```python\n# my_net\.py\n(.*?)```", README, re.DOTALL).group(1)
REMOVED, ADDED = re.search(r"```diff\n-(.*?)\n\+(.*?)\n```", README).groups()
SCREENS = re.findall(r"```\n(my_net\.py:.*?)```", README, re.DOTALL)


def check(folder, code, *options):
    """What `backproof check` says of the code, as a newcomer starts it."""
    (folder / "my_net.py").write_text(code, encoding="utf-8")
    command = Path(sys.executable).with_name("backproof")
    done = subprocess.run(
        [command, "check", "my_net.py", *options], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.splitlines()


def test_example_is_found_wrong_where_the_readme_says(tmp_path):
    """The planted mistake is found in the network that the README shows, with the numbers that it shows."""
    shown = SCREENS[0].splitlines()
    again = next(line.split("--case ")[1] for line in shown if line.startswith("Again"))
    code, lines = check(tmp_path, EXAMPLE, "--case", again)
    assert code == 1
    for label in ("Where", "Yours", "Right", "Why", "Look for", "By hand", "Again", "Learn"):
        (said,) = (line for line in lines if line.startswith(label))
        (printed,) = (line for line in shown if line.startswith(label))
        assert said == printed


def test_example_agrees_once_it_is_mended(tmp_path, monkeypatch):
    """The README's fix is the whole fix."""
    assert EXAMPLE.count(REMOVED) == 1
    (tmp_path / "my_net.py").write_text(EXAMPLE.replace(REMOVED, ADDED), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["check", "my_net.py", "--cases", "60"])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1].startswith("AGREES")
    assert SCREENS[1].splitlines()[1].startswith("AGREES")


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_somewhere(path):
    """Every file and folder that the README points to exists."""
    assert (ROOT / path).exists()
