"""The columns of every table, declared once. Schemas, files and the data dictionary follow from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Kind = Literal["text", "whole", "number"]


@dataclass(frozen=True)
class Column:
    """One column: `text`, `whole` (an integer) or `number` (a float); any of them may be empty."""

    name: str
    kind: Kind
    meaning: str


@dataclass(frozen=True)
class TableEntry:
    """One table: what a row is, and its columns in order.

    later: how many of them, the last ones, are filled in when the run is over; rows come without them.
    """

    row: str
    columns: tuple[Column, ...]
    later: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)


ROWS: Final = 20_000
"""Networks whose rows are all in `checks`, where nobody says how many: some 220,000 rows."""

ENOUGH: Final = 1_000
"""Networks with a discrepancy of one sort that are in `discrepancies`."""

NETWORK: Final = (
    Column("case", "text", "id of the case: the same id makes the same arrays on every machine"),
    Column("candidate", "text", "the implementation under test"),
    Column("depth", "whole", "number of layers, that is of weight matrices"),
    Column("widths", "text", "n0-...-nL: the inputs, then the outputs of each layer"),
    Column("batch_size", "whole", "N, the number of samples"),
    Column("activations", "text", "activation of each layer, with its parameters"),
    Column("loss", "text", "loss, with its parameters"),
    Column("reduction", "text", "none, sum, mean or batchmean"),
    Column("dtype", "text", "dtype of the case's arrays"),
    Column("values", "text", "filling from which the arrays are drawn"),
    Column("seed", "whole", "seed of the case"),
)

CHECK: Final = (
    Column("quantity", "text", "loss, delta, bias, weight or input: the array that is compared; call: the call itself"),
    Column("layer", "whole", "layer of the quantity, counted from 1; empty for loss, input and call"),
    Column("position", "text", "output, hidden or first; empty where there is no layer"),
    Column("shape", "text", "shape of the quantity, 4x3; scalar for a single number"),
    Column("entries", "whole", "number of entries"),
    Column("nonzero", "whole", "number of entries that are not zero in the reference"),
    Column("verdict", "text", "one word of the closed set; only agree says that the candidate is right"),
    Column("mismatched", "whole", "number of entries whose error exceeds the bound"),
    Column("max_abs_error", "number", "largest distance from the reference"),
    Column("bound", "number", "what rounding can explain, at the worst entry"),
    Column(
        "error_over_bound", "number", "error / bound at the worst entry, where it is largest; agreement is at most 1"
    ),
    Column("worst_index", "text", "index of the worst entry, counted from 0"),
    Column("candidate_value", "number", "the candidate's number there"),
    Column("reference_value", "number", "the reference's number there"),
    Column("exact_value", "number", "the true value there, where exact arithmetic was asked"),
    Column(
        "note", "text", "why a quantity is undecided, what a failed call said, which deviation of PyTorch's this is"
    ),
)

CHARGE: Final = (
    Column(
        "equation",
        "text",
        "where the row fails: in which equations the diagnosis found mistakes that can make this quantity wrong, "
        "joined by +; empty where none can, or none was found",
    ),
    Column("diagnosis", "text", "the mistakes in these equations, as the diagnosis named them, joined by +"),
)

STRATUM: Final = (
    Column("stratum", "text", "activation (in any layer) or loss: what the row counts"),
    Column("name", "text", "name of the activation or of the loss"),
    Column("reduction", "text", "reduction, for a loss"),
    Column("dtype", "text", "dtype of the cases"),
    Column("cases", "whole", "cases in this stratum"),
    Column("quantities", "whole", "quantities that were decided"),
    Column("disagreements", "whole", "quantities whose verdict fails the run"),
    Column("kinks", "whole", "quantities that differ only where the derivative does not exist"),
    Column("undecided", "whole", "quantities on which the bound says nothing; they count as no coverage"),
    Column("worst_error_over_bound", "number", "largest error / bound of a quantity"),
    Column(
        "median_error_over_bound", "number", "median over quantities of their largest error / bound, to three digits"
    ),
    Column("worst_case", "text", "id of the case with the largest error / bound"),
)

PAIR: Final = (
    Column("kind", "text", "what meets: activation, loss; filling, dtype; or depth, reduction"),
    Column("first", "text", "the first of the two, as in the kind"),
    Column("second", "text", "the second"),
    Column("cases", "whole", "cases that have both; 0 for what the domain allows and no case had"),
)

SORT: Final = (
    Column("verdict", "text", "verdict of the discrepancies"),
    Column("quantity", "text", "loss, delta, bias, weight, input or call"),
    Column("position", "text", "output, hidden or first; empty where there is no layer"),
    Column("loss", "text", "loss of the cases, without its parameters"),
    Column("cases", "whole", "cases with such a discrepancy, in the whole run"),
    Column("left_out", "whole", f"how many of them discrepancies does not have, since it has the first {ENOUGH:,}"),
)

GROUP: Final = (
    Column("diagnosis", "text", "the mistake that gives their numbers, or mistakes joined by +; empty where none does"),
    Column("first", "text", "quantity and position of the first failure on the way back; of all kinds of them"),
    Column("cases", "whole", "how many failing cases"),
    Column("examples", "text", "ids of the smallest of them"),
    Column("shown", "text", "id of one that was made small enough to follow by hand"),
)

SCALING: Final = (
    Column("loss", "text", "loss, with its parameters"),
    Column("case", "text", "id of the case; all answers of a row are to the same arrays"),
    Column("batch_size", "whole", "N, the number of samples"),
    Column("outputs", "whole", "O, the width of the last layer"),
    Column("compared", "text", "the two answers whose ratio this is: sum / mean, sum / batchmean, stated twice / once"),
    Column("expected", "number", "the ratio that the definition gives: for sum / mean what the mean divides by"),
    Column("divisor", "text", "the expected ratio in words, like N*O"),
    Column("loss_ratio", "number", "observed ratio of the losses"),
    Column("gradient_ratio", "number", "observed ratio of the gradients, at the largest entry of the weight gradients"),
    Column(
        "verdict",
        "text",
        "agree, disagree or undecided, for all quantities together, by the bound; or why there is none",
    ),
    Column("differs", "text", "where they disagree: the ratio of the loss, and of the worst entry of a gradient"),
)

ACCURACY: Final = (
    Column("quantity", "text", "loss, delta, bias, weight or input"),
    Column("dtype", "text", "dtype of the cases"),
    Column("quantities", "whole", "quantities that were held to their true values"),
    Column(
        "exceeded",
        "whole",
        "quantities with an error beyond the bound for textbook forms: a wrong candidate, or a wrong bound",
    ),
    Column("listed", "whole", "the same where PyTorch leaves its own forward pass in a listed way, and is followed"),
    Column("worst_ulps", "number", "largest true error, in units in the last place of the quantity's largest entry"),
    Column("median_ulps", "number", "median over quantities of their largest true error, in the same units"),
    Column(
        "median_bound_over_error", "number", "median over quantities of the smallest bound / true error of an entry"
    ),
    Column("worst_case", "text", "id of the case with the largest true error"),
)

EQUATION: Final = (
    Column("equation", "text", "BP0 to BP4, batch (the sum over it), scale (a factor on everything), loss, or another"),
    Column("status", "text", "holds, broken or not_tested: the candidate's own numbers did not show it"),
    Column("position", "text", "where it is broken: output, hidden, first or all"),
    Column("fault", "text", "the mistake that reproduces the candidate's numbers; empty where none is known"),
    Column("also_fits", "text", "other mistakes that give the same numbers on every network tried"),
    Column("condition", "text", "when it shows; empty for always"),
    Column("used", "text", "the formula that was used"),
    Column("wanted", "text", "the formula that was wanted"),
)

FAULT: Final = (
    Column("faults", "text", "what was planted in the handwritten network, joined by + where it was more than one"),
    Column("equation", "text", "the equation that each breaks"),
    Column("tried", "whole", "networks drawn to find those on which it shows"),
    Column("differ", "whole", "networks on which the numbers differ from the right ones"),
    Column("found", "whole", "how many of these the check fails"),
    Column("undecided", "whole", "how many it leaves open, because rounding may explain as much"),
    Column("missed", "whole", "how many it calls right"),
    Column("caught", "text", "on how many of them each quantity fails, like bias 12"),
    Column("result", "text", "rightly, among equals, wrongly, unexplained; equivalent where nothing ever differs"),
    Column("named", "text", "the name that the diagnosis gave"),
    Column("also_fits", "text", "what gives the same numbers on every network tried"),
    Column("broken", "text", "the equations that the diagnosis holds to be broken"),
)

POWER: Final = (
    Column("dtype", "text", "dtype of the networks"),
    Column("depth", "whole", "number of layers"),
    Column("width", "whole", "width of all layers"),
    Column("cases", "whole", "networks of this kind"),
    Column("error", "text", "where a relative error was planted: first layer, every layer or largest entry"),
    Column("checker", "text", "what was to find it"),
    Column("smallest", "number", "the smallest that it found in every network; inf: not even 1; empty: not measured"),
    Column("zeroed", "whole", "networks in which it found a first layer's gradient of zeros"),
    Column("flipped", "whole", "networks in which it found a first layer's gradient of the wrong sign"),
    Column("heard", "whole", "networks that it did not accuse when their gradients were right"),
    Column("false_alarms", "whole", "networks that it did accuse when their gradients were right"),
    Column("note", "text", "why it was not measured, or what it did instead"),
)

TIGHTNESS: Final = (
    Column("figure", "text", "what was measured of the bounds"),
    Column("networks", "text", "on which networks"),
    Column("dtype", "text", "dtype of the networks"),
    Column("count", "whole", "how many networks were drawn"),
    Column("median", "number", "the median"),
    Column("ninth_of_ten", "number", "what nine of ten do not exceed"),
    Column("worst", "number", "the largest finite number"),
    Column("infinite", "whole", "how many were not finite"),
    Column("target", "number", "what it is to stay below"),
    Column("held", "text", "which of these numbers is held to the target"),
    Column("met", "text", "yes or no"),
)

TABLES: Final[Mapping[str, TableEntry]] = MappingProxyType(
    {
        "checks": TableEntry(
            f"one quantity of one case, of the first {ROWS:,} cases of a run; --rows says otherwise",
            NETWORK + CHECK + CHARGE,
            later=len(CHARGE),
        ),
        "discrepancies": TableEntry(
            "one quantity of one case that does not agree; with the same verdict, quantity, position and loss those of "
            f"the first {ENOUGH:,} cases (`sorts` counts the others)",
            NETWORK + CHECK + CHARGE,
            later=len(CHARGE),
        ),
        "strata": TableEntry("one stratum: a cell in which coverage and accuracy are counted", STRATUM),
        "accuracy": TableEntry("one kind of quantity in one dtype, measured by exact arithmetic (--certify)", ACCURACY),
        "equations": TableEntry("one equation, or one mistake in it, as the diagnosis found it", EQUATION),
        "faults": TableEntry("one planted fault, or a pair (backproof faults)", FAULT),
        "power": TableEntry("one checker on one kind of network, with an error in one place (backproof power)", POWER),
        "tightness": TableEntry("one figure of the bounds (backproof power --tightness)", TIGHTNESS),
        "pairs": TableEntry("two things that meet in a network, and in how many they did", PAIR),
        "sorts": TableEntry("one sort of discrepancy, in runs that have more of one than are kept", SORT),
        "groups": TableEntry("failing cases with the same mistake", GROUP),
        "scaling": TableEntry("two answers to the same arrays under two reductions or batches", SCALING),
    }
)
