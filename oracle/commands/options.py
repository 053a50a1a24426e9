"""Options that several commands have: what narrows a domain to what somebody asks for."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from backproof.commands.terminal import names, span

Activations: TypeAlias = Annotated[str | None, typer.Option(help="of hidden layers, like relu,leaky_relu=0.2")]
OutputActivations: TypeAlias = Annotated[str | None, typer.Option(help="of the last layer, like softmax")]
Losses: TypeAlias = Annotated[str | None, typer.Option(help="like mse,cross_entropy")]
Reductions: TypeAlias = Annotated[str | None, typer.Option(help="of none, sum, mean, batchmean")]
Dtypes: TypeAlias = Annotated[str | None, typer.Option(help="of float64, float32")]
Values: TypeAlias = Annotated[str | None, typer.Option(help="how arrays are filled, like normal,saturated")]
Depth: TypeAlias = Annotated[str | None, typer.Option(help="layers, like 4 or 1-30")]
Width: TypeAlias = Annotated[str | None, typer.Option(help="width of the inputs and layers, like 16 or 1-64")]
BatchSize: TypeAlias = Annotated[str | None, typer.Option(help="samples, like 1 or 1-32")]
Penalties: TypeAlias = Annotated[str | None, typer.Option(help="none, mixed, or one, like 0.01+0.1+N")]

_SPANS = ("depth", "width", "batch_size")
_PLAIN = ("penalties",)


def fields(**texts: str | None) -> dict[str, object]:
    """The options as fields of a Domain: names are read as several, depth, width and batch_size as spans."""
    return {
        name: text if name in _PLAIN else span(text) if name in _SPANS else names(text) for name, text in texts.items()
    }
