"""Who may import whom: the judge (cases, truth, comparison) never shares the defendant's code (scratch)."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {"backproof": "oracle", "backproof.scratch": "scratch", "backproof.reports": "reports"}

# Each room and the rooms next below it. A room may also import whatever those may.
BELOW: dict[str, set[str]] = {
    "scratch": set(),
    "reports": set(),
    "cases": set(),
    "truth": {"cases"},
    "comparison": {"cases", "truth"},
    "candidates": {"cases", "truth", "scratch"},
    "examine": {"candidates", "truth", "comparison"},
    "diagnosis": {"examine", "scratch"},
    "lessons": {"diagnosis"},
    "route": {"diagnosis", "examine", "candidates", "comparison", "truth", "cases", "scratch", "reports"},
    "commands": {"route", "lessons"},
    "cli": {"commands"},
    "__main__": {"cli"},
    "pytest_plugin": {"route"},
}
# Rooms of a file and a folder. Every other file or folder beside them is a stage of the route: only the front ends may
# import it, so that what the judge needs has to be listed here.
SHARED_ROOMS = {
    "comparison": {"comparison", "judging"},
    "examine": {"examine", "settling"},
}
HEAVY = (
    "torch",
    "pandas",
    "pyarrow",
    "hypothesis",
    "flint",
    "typer",
    "rich",
    "sklearn",
    "scipy",
    "matplotlib",
    "jinja2",
    "distributed",
    "pebble",
    "filelock",
)


def sources(root: Path) -> dict[str, Path]:
    """The file of every module, by the name it is installed under."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root / folder).with_suffix("").parts
            found[".".join((package, *(part for part in parts if part != "__init__")))] = path
    return found


def imported(module: str, path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    """Every name that a module imports anywhere in its code, also inside functions; submodules are told from names."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{origin}.{alias.name}" if f"{origin}.{alias.name}" in modules else origin
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in {
            "import_module",
            "__import__",
        }:
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


def import_graph(root: Path) -> dict[str, set[str]]:
    """Module -> modules it imports. Ours by full name and with the packages they lie in, others by their first word."""
    modules = sources(root)
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        graph[module] = set()
        for name in imported(module, path, modules):
            ours = name.split(".")[0] == "backproof"
            graph[module].add(name if ours else name.split(".")[0])
            # `import a.b.c` runs a.b as well. The root package is left out: it runs before everything, and a test below
            # shows that it loads nothing.
            graph[module].update(
                parent for parent in (name.rsplit(".", n)[0] for n in range(1, name.count("."))) if parent in modules
            )
        graph[module].discard(module)
    return graph


def room(module: str) -> str:
    """The room a module lies in; the root package is the front door, with no room of its own."""
    if "." not in module:
        return "front door"
    file = module.split(".")[1]
    return file if file in BELOW else next((name for name, files in SHARED_ROOMS.items() if file in files), "route")


def may_import(name: str) -> set[str]:
    """Every room that a room may reach."""
    return {name}.union(*(may_import(below) for below in BELOW[name]))


def route_to(graph: Mapping[str, set[str]], start: str, forbidden: set[str]) -> list[str]:
    """The shortest chain of imports from `start` into a forbidden room or package, empty if there is none."""
    chains, seen = [[start]], {start}
    while chains:
        chain = chains.pop(0)
        for name in sorted(graph.get(chain[-1], ())):
            place = room(name) if name.split(".")[0] == "backproof" else name
            if place in forbidden:
                return [*chain, name]
            if name not in seen:
                seen.add(name)
                chains.append([*chain, name])
    return []


def violations(graph: Mapping[str, set[str]]) -> list[str]:
    """Every chain of imports that leads where it must not, as a line to read."""
    found = []
    for module in graph:
        if room(module) == "front door":
            continue
        forbidden = {*BELOW, "front door"} - may_import(room(module))
        if room(module) == "scratch":
            forbidden |= {name for names in graph.values() for name in names if not name.startswith("backproof")}
            forbidden -= {"numpy", *sys.stdlib_module_names}
        if chain := route_to(graph, module, forbidden):
            found.append(" -> ".join(chain))
    return found


def run_python(code: str) -> str:
    """What a fresh interpreter prints, away from the clone."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False, cwd=Path(sys.prefix)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_house(root: Path, files: Mapping[str, str]) -> None:
    """A small house with the given files, for the controls."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_imports_go_downwards_only():
    """No chain of imports leads upwards, nor from the judge to the defendant."""
    graph = import_graph(ROOT)
    assert "backproof.scratch.backprop" in graph
    assert violations(graph) == []


def test_torch_enters_through_one_door():
    """Only the reference imports PyTorch, and so do its own gradient checkers, where they are measured as rivals."""
    doors = {module for module, names in import_graph(ROOT).items() if "torch" in names}
    assert doors - {"backproof.power.rivals"} == {"backproof.truth.autograd"}


@pytest.mark.parametrize(
    ("files", "chain"),
    [
        ({"oracle/truth/sums.py": "import backproof.scratch"}, "truth.sums -> backproof.scratch"),
        ({"oracle/comparison.py": "from backproof import scratch"}, "comparison -> backproof.scratch"),
        ({"oracle/cases/case.py": "def late():\n    from ..truth import autograd"}, "case -> backproof.truth.autograd"),
        ({"oracle/cases/case.py": "from backproof import Domain"}, "backproof.cases.case -> backproof"),
        ({"oracle/route.py": "from backproof.cli import main"}, "backproof.route -> backproof.cli"),
        ({"scratch/losses.py": "import scipy.special"}, "backproof.scratch.losses -> scipy"),
        (
            {"oracle/comparison.py": "from backproof import corner", "oracle/corner.py": ""},
            "backproof.comparison -> backproof.corner",
        ),
        (
            {
                "oracle/truth/sums.py": "from backproof.cases import case",
                "oracle/cases/case.py": "import importlib\nimportlib.import_module('backproof.scratch')",
            },
            "truth.sums -> backproof.cases.case -> backproof.scratch",
        ),
        (
            {
                "oracle/truth/__init__.py": "",
                "oracle/truth/sums.py": "from backproof.cases.case import Case",
                "oracle/cases/__init__.py": "import backproof.scratch",
                "oracle/cases/case.py": "",
            },
            "truth.sums -> backproof.cases -> backproof.scratch",
        ),
    ],
    ids=["plain", "from", "late", "front door", "upwards", "foreign", "unlisted", "transitive", "package"],
)
def test_a_planted_import_is_caught(tmp_path, files, chain):
    """Positive control: the check above fails on each way of importing what must not be imported."""
    house = {"scratch/__init__.py": "", "scratch/losses.py": "", "oracle/__init__.py": "", "oracle/cli.py": "main = 1"}
    house |= {"oracle/truth/autograd.py": "", "oracle/cases/__init__.py": ""}
    write_house(tmp_path, house)
    assert violations(import_graph(tmp_path)) == []
    write_house(tmp_path, files)
    assert any(chain in line for line in violations(import_graph(tmp_path)))


WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, NoTorch())
"""


@pytest.mark.parametrize("module", ["backproof", "backproof.scratch", "backproof.reports", "backproof.cli"])
def test_imports_without_torch(module):
    """Everything but the reference can be imported where PyTorch is not installed."""
    print_names = f"{WITHOUT_TORCH}\nimport {module}\nprint('torch' in sys.modules)"
    assert run_python(print_names) == "False\n"


def test_the_blocker_blocks_torch():
    """Positive control: where the blocker stands, importing PyTorch fails."""
    tried = f"{WITHOUT_TORCH}\ntry:\n    import torch\nexcept ModuleNotFoundError as error:\n    print(error.name)"
    assert run_python(tried) == "torch\n"


@pytest.mark.parametrize("module", ["backproof", "backproof.scratch"])
def test_import_loads_nothing_heavy(module):
    """`import backproof` stays quick because of what it does not load; seconds would say more about the machine."""
    loaded = run_python(f"import sys, {module}\nprint(*sorted(sys.modules))").split()
    assert module in loaded
    assert [name for name in loaded if name in HEAVY] == []


def test_the_judge_runs_without_the_defendant():
    """A fresh interpreter with every module of the judge in it has not met scratch."""
    judge = [name for name in import_graph(ROOT) if room(name) in may_import("comparison")]
    loaded = run_python(f"import sys, {', '.join(judge)}\nprint(*sorted(sys.modules))").split()
    assert set(judge) <= set(loaded)
    assert [name for name in loaded if name.startswith(("backproof.scratch", "backproof.candidates"))] == []
