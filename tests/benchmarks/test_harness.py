"""The harness of the benchmarks, at the smallest size: it times who is right, in turns, and says what it found."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backproof.cases import Domain
from backproof.scratch import Backprop
from benchmarks import __main__ as front
from benchmarks import growth, measuring, race, runs
from benchmarks.agreement import WrongContenderError
from benchmarks.contenders import CONTENDERS, by_hand, of_task
from benchmarks.contenders.contender import Found
from benchmarks.page import page
from benchmarks.problems import SIZES, Problem, Size, problems
from benchmarks.recomputed import Recomputed
from benchmarks.rounds import Rounds
from benchmarks.stages import ORDER, WHOLE, Route, Stages
from benchmarks.summary import merged, outside_products, targets
from benchmarks.threads import environment_for

SMALLEST = [problem for problem in problems() if problem.size is SIZES[0]]
INSTALLED = {"numpy", "torch", "sklearn"}
"""Whose contenders race here: the others are installed by `tox run -e bench` alone."""


@pytest.fixture
def few(monkeypatch):
    """The contenders that need no installation of their own and do not compile, and whoever is added."""

    def limited(*more):
        entrants = [each for each in CONTENDERS if each.package in INSTALLED and not each.fragile]
        monkeypatch.setattr(race, "of_task", lambda task: [each for each in (*entrants, *more) if each.task == task])

    limited()
    return limited


def wrong(**changes):
    """Scratch as a contender of another name, with something changed."""
    return replace(by_hand.SCRATCH, name="wrong", needed=False, **changes)


@pytest.mark.parametrize("problem", SMALLEST, ids=lambda problem: problem.id)
def test_the_right_are_timed_in_turns(problem, few):
    """Whoever enters is held to the truth, has a turn in every round, and a row with its ratio."""
    for task in ("gradients", "per sample", "jvp"):
        entrants = [each.name for each in race.of_task(task) if each.enters(problem)]
        if not entrants:
            continue
        found = race.Race(task, problem)
        found.rounds.warm_up()
        found.rounds.take()
        rows = list(found.rows())
        assert [row["contender"] for row in rows] == entrants
        assert {row["rounds"] for row in rows} == {1}
        assert [row["ratio"] for row in rows if row["contender"].startswith(("PyTorch", "torch"))] == [1.0]
        assert found.undecided == []
        json.dumps(rows, allow_nan=False)


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (
            lambda found, problem: Found(weights=[2 * weight for weight in found.weights]),
            "dW of layer 1 at [0, 0]: got",
        ),
        (lambda found, problem: Found(weights=[np.full_like(found.weights[0], np.nan)]), "got nan"),
        (
            lambda found, problem: Found(weights=[weight.T for weight in found.weights]),
            "got shape (3, 4), wanted (4, 3)",
        ),
        (
            lambda found, problem: Found(biases=[bias.astype(np.float32) for bias in found.biases]),
            "got float32, wanted float64",
        ),
        (lambda found, problem: Found(), "got nothing"),
    ],
    ids=["numbers", "nan", "shape", "dtype", "nothing"],
)
def test_the_wrong_are_not_timed(read, message, few):
    """A contender with wrong numbers ends the run, whatever is wrong with them."""
    few(wrong(read=read))
    with pytest.raises(WrongContenderError) as told:
        race.Race("gradients", SMALLEST[0])
    assert message in str(told.value)
    assert "wrong on 3-4-2,n4,mse,float64" in str(told.value)


def test_an_error_beyond_rounding_is_seen(few):
    """Positive control: an error that no fixed tolerance of usual size would see is one here."""

    def read(found, problem):
        return Found(weights=[found.weights[0] * (1 + 1e-10), *found.weights[1:]])

    few(wrong(read=read))
    with pytest.raises(WrongContenderError, match="rounding explains"):
        race.Race("gradients", SMALLEST[0])


def test_who_cannot_run_is_left_out_with_a_reason(few):
    """What is not installed, and what is known to need more than Python packages; anything else is an error."""

    def refuse(problem):
        raise RuntimeError("no compiler\nand a long story")

    few(wrong(package="not_here"), replace(wrong(prepare=refuse, fragile=True), name="fragile"))
    found = race.Race("gradients", SMALLEST[0])
    assert found.left_out == {"wrong": "not_here is not installed", "fragile": "RuntimeError: no compiler"}
    few(wrong(prepare=refuse))
    with pytest.raises(RuntimeError, match="no compiler"):
        race.Race("gradients", SMALLEST[0])


def test_everybody_begins_a_round_in_turn():
    """No contender always comes after the same one only because of its place in the table."""
    heard = []
    rounds = Rounds({name: lambda name=name: heard.append(name) for name in "abc"})
    rounds.calls = dict.fromkeys("abc", 1)
    heard.clear()
    for _ in range(3):
        rounds.take()
    assert "".join(heard) == "abcbcacab"
    assert rounds.ratios("a", "a") == [1.0] * 3
    assert {len(times) for times in rounds.seconds.values()} == {3}


def test_every_task_has_one_baseline_and_scratch():
    """So that every table has ratios, and they are about scratch."""
    for task in ("gradients", "per sample", "jvp"):
        assert [each.baseline for each in of_task(task)].count(True) == 1
        assert of_task(task)[0].name == "scratch"


def test_reuse_saves_a_power_of_depth():
    """L - 1 steps down with every delta kept, L (L - 1) / 2 without, for the same numbers."""

    def steps_of(backprop, depth):
        problem = Problem(Size("-".join(["3"] * (depth + 1)), 2, rounds=0), "mse", "float64")
        network, taken = by_hand.network_of(problem.case), itertools.count()

        class Counting(backprop):
            def hidden_delta(self, *arguments):
                next(taken)
                return super().hidden_delta(*arguments)

        network.backprop = Counting()
        network.gradients(problem.x, problem.y)
        growth.recomputed(problem)
        return next(taken)

    assert [steps_of(Backprop, depth) for depth in (1, 5, 10)] == [0, 4, 9]
    assert [steps_of(Recomputed, depth) for depth in (1, 5, 10)] == [0, 10, 45]


def test_exponents_of_powers():
    """The fit finds the power that is there."""
    sizes = [2.0, 4.0, 16.0]
    assert growth.exponent(sizes, [8.0 * size**2 for size in sizes]) == pytest.approx(2.0)


def test_growth_has_a_row_for_each_size():
    """Two depths, one round."""
    found = growth.Growth(growth.shortened(growth.AXES[0], sizes=2, rounds=1))
    found.take()
    rows = list(found.rows())
    assert len(rows) == 2 * len(growth.AXES[0].expected)
    assert [row["expected"] for row in found.exponents()] == [1.0, 1.0, 2.0]


def test_every_stage_is_measured(monkeypatch):
    """A few cases through every stage, and runs of one case, with and without a report."""
    asked = []
    monkeypatch.setattr(Stages, "_single", lambda self, place: asked.append(place is not None))
    stages = Stages(Route("a few", Domain(depth=1, width=2), cases=3, rounds=1))
    stages.warm_up()
    stages.take()
    assert asked == [False, True] * 2
    names = [row["stage"] for row in stages.rows()]
    assert tuple(names) == ORDER


def test_a_run_that_fails_says_how():
    """Time and memory of a process; its output where it fails."""
    found = runs.run(["-c", "pass"])
    assert found.seconds > 0
    assert found.peak_bytes > 2**20
    with pytest.raises(RuntimeError, match="exit code 3\nwhat is wrong"):
        runs.run(["-c", "print('what is wrong'); raise SystemExit(3)"])


def gradients_row(contender, ratio, run=1, **more):
    """A row as `Race.rows` makes it."""
    row = {"run": run, "task": "gradients", "widths": "3-4-2", "batch_size": 4, "loss": "mse", "dtype": "float64"}
    times = {"ratio": ratio, "ratio_low": 0.9 * ratio, "ratio_high": 1.1 * ratio, "seconds": 1e-6 * ratio, "cores": 1.0}
    return {**row, "threads": 1, "contender": contender, **times, **more}


def tables(*runs_of_scratch):
    """Tables of several runs, in which scratch takes so much of PyTorch's time."""
    rows = []
    for run, ratio in enumerate(runs_of_scratch, 1):
        rows += [gradients_row("scratch", ratio, run), gradients_row("PyTorch eager", 1.0, run)]
        rows += [gradients_row("matrix products alone", 0.1, run)]
    where = {"run": 1, "axis": "depth", "fixed": "width 64, N = 64", "contender": "scratch"}
    times = [{**where, "at": at, "seconds": at, "seconds_low": at, "seconds_high": at} for at in (4, 8)]
    fit = [{**where, "exponent": 1.0, "low": 0.9, "high": 1.1, "expected": 1.0, "from": 4, "to": 8}]
    stage = {"run": 1, "networks": "default domain", "cases": 5, "stage": WHOLE, "rounds": 1}
    pipeline = [{**stage, "ratio": 2.5, "ratio_low": 2.4, "ratio_high": 2.6, "microseconds_per_case": 500.0}]
    span = {"low": 1.7, "high": 1.9, "rounds": 2}
    whole = [
        {"run": 1, "figure": "two workers over one", "setting": "20,000 cases", "unit": "times", "value": 1.8, **span}
    ]
    left_out = [{"run": 1, "contender": "A|B", "task": "gradients", "problem": "p", "reason": "no compiler"}]
    return {
        "gradients": rows,
        "growth": times,
        "exponents": fit,
        "pipeline": pipeline,
        "runs": whole,
        "left_out": left_out,
    }


MACHINE = {
    "processor": "a model",
    "processors": 2,
    "system": "Linux",
    "python": "3",
    "blas": {"name": "openblas", "version": "1"},
    "packages": {"torch": "2.13.0", "jax": None},
    "load_before": [1.5, 1.0, 0.5],
}


def test_runs_that_agree_and_runs_that_do_not():
    """They agree where their spans from quartile to quartile have a point in common."""
    (row, *_) = merged("gradients", tables(0.2, 0.21, 0.22)["gradients"])
    assert (row["ratio"], row["runs_agree"]) == (0.21, True)
    (row, *_) = merged("gradients", tables(0.2, 0.4)["gradients"])
    assert row["runs_agree"] is False
    (share,) = outside_products(merged("gradients", tables(0.2)["gradients"]))
    assert share["outside"] == 0.5


def test_targets_say_what_is_met():
    """Nothing fails by its time; the page says which numbers hold."""
    found = {target.what: target.met for target in targets(tables(0.2))}
    assert found == {
        "scratch over PyTorch eager, one thread, the worst of all sizes (3-4-2, mse, float64)": True,
        "the same at 3-4-2, its worst": True,
        "whole pipeline over PyTorch's own pass, default domain": False,
        "two workers over one, 20,000 cases": True,
    }
    assert list(targets({})) == []


def test_the_page_states_ratios_and_protocol():
    """The machine, the protocol, a ratio with its quartiles, who was left out and why."""
    text = page(tables(0.2, 0.21), MACHINE)
    for part in (
        "- a model, 2 processors, Linux, Python 3",
        "torch 2.13.0, jax not installed",
        "**The machine was busy",
        "held to scratch in float64 by Backproof's rounding bound",
        "## C, dC/dW and dC/db of the batch: mse, 1 thread",
        "| 3-4-2 | 4 | float64 | 0.21 (0.18 to 0.23) | 0.10 (0.09 to 0.11) | 1 |",
        "| A\\|B | gradients | p | no compiler |",
        "- gradients: 3 of 3 rows",
    ):
        assert part in text
    assert "busy" not in page({}, {**MACHINE, "load_before": [0.1, 0.1, 0.1]})


def test_the_same_tables_make_the_same_files(tmp_path, monkeypatch):
    """Page, CSV and plots to the byte; nothing is left where one of them fails."""
    for name in ("first", "second"):
        front.write(tmp_path / name, {**tables(0.2), "empty": []}, MACHINE)
    first, second = ({each.name: each.read_bytes() for each in (tmp_path / n).iterdir()} for n in ("first", "second"))
    assert first == second
    assert {"bench.md", "gradients.csv", "ratios.svg", "growth.svg", "environment.json"} <= first.keys()
    assert "empty.csv" not in first

    def fail(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(front, "draw", fail)
    with pytest.raises(front.ReportError, match="no space left"):
        front.write(tmp_path / "third", tables(0.2), MACHINE)
    assert not (tmp_path / "third").exists()


def test_the_front_door(tmp_path, monkeypatch, capsys):
    """What was asked for is measured and written; where that is impossible, a line says so, with exit code 2."""
    asked = []

    def measure(request):
        asked.append(request)
        return {name: rows for name, rows in tables(0.2).items() if name in ("gradients", "left_out")}

    monkeypatch.setattr(front, "measured", measure)
    monkeypatch.setattr(front, "draw", lambda found, directory: None)
    place = tmp_path / "bench"
    assert front.main(["gradients", "--runs", "3", "--only", "3-4-2", "--out", str(place)]) == 0
    assert asked == [measuring.Request(parts=["gradients"], runs=3, only="3-4-2")]
    assert capsys.readouterr().out == (place / "bench.md").read_text(encoding="utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    assert front.main(["--out", str(tmp_path / "other")]) == 2
    assert "is no report of ours" in capsys.readouterr().err
    assert len(asked) == 1


def test_each_part_runs_in_a_process_of_its_own(monkeypatch, tmp_path):
    """The threads stand in its environment before anything is imported; its tables come back with the run's number."""
    seen, codes = [], iter([0, 0, 5, 1])

    def run(command, *, env, **settings):
        seen.append((command[3].rpartition("_")[2], env["OPENBLAS_NUM_THREADS"], env["NPROC"]))
        found = json.dumps({"benchmarks": [{"extra_info": {"gradients": [{"ratio": 1.0}]}}]})
        Path(command[command.index("--benchmark-json") + 1]).write_text(found, encoding="utf-8")
        return type("Done", (), {"returncode": next(codes)})

    monkeypatch.setattr(measuring.subprocess, "run", run)
    request = measuring.Request(parts=["gradients"], only="3-4-2")
    assert measuring.measured(request) == {"gradients": [{"run": 1, "ratio": 1.0}] * 2}
    assert seen == [("gradients.py", "1", "1"), ("gradients.py", "2", "2")]
    with pytest.raises(measuring.BenchError, match="nothing was measured: no benchmark is called like '3-4-2'"):
        measuring.measured(replace(request, parts=["growth"]))
    with pytest.raises(measuring.BenchError, match=r"bench_growth.py with 1 threads: pytest ended with 1"):
        measuring.measured(replace(request, parts=["growth"]))
    assert environment_for(2)["OMP_NUM_THREADS"] == "2"


def test_what_is_measured_before_an_interruption_is_kept(monkeypatch, capsys):
    """Ctrl-C in the second part leaves the tables of the first; before any there is nothing to leave."""
    parts = iter([{"gradients": [{"ratio": 1.0}]}, {"gradients": [{"ratio": 2.0}]}])

    def one_part(*_):
        try:
            return next(parts)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(measuring, "_of_process", one_part)
    request = measuring.Request(parts=["gradients", "growth"], runs=3)
    assert measuring.measured(request) == {"gradients": [{"run": 1, "ratio": 1.0}, {"run": 1, "ratio": 2.0}]}
    assert "what was measured until then is kept" in capsys.readouterr().err
    with pytest.raises(measuring.BenchError, match="interrupted before anything was measured"):
        measuring.measured(request)
