"""`backproof protocol`: the wire format, with an exchange that is computed."""

import json

from typer.testing import CliRunner

from backproof.candidates.layout import Layout
from backproof.candidates.protocol import REPLY, REQUEST, read_description, read_reply, request
from backproof.candidates.reading import KEYS, read
from backproof.candidates.steps import stepped
from backproof.cases import NetworkSpec, build_case
from backproof.cli import app
from backproof.commands.protocol import EXAMPLE
from backproof.comparison import Bounds, compare
from backproof.judging.verdicts import Verdict
from backproof.truth import exact


def shown(*arguments: str) -> list[str]:
    """The lines that the command prints."""
    result = CliRunner().invoke(app, ["protocol", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_protocol_shows_a_complete_exchange_that_is_right():
    """The request is the one that a program is sent, and the answer agrees."""
    lines = shown()
    asked = [line[2:] for line in lines if line.startswith("> ")]
    said = [line[2:] for line in lines if line.startswith("< ")]
    case = build_case(NetworkSpec.parse(EXAMPLE))
    rate = 2.0**24
    assert asked == [
        '{"describe":1}',
        request(1, case, Layout()).decode(),
        request(1, case, Layout(), learning_rate=rate).decode(),
    ]
    described, gradients, as_step, moved = (line.encode() for line in said)
    assert read_description(described).declaration.domain.dtypes == ("float64",)
    assert (read_description(described).declaration.kind, read_description(as_step).declaration.kind) == (
        "gradients",
        "step",
    )
    answers = [read(read_reply(gradients, 1), case, Layout()), stepped(read_reply(moved, 1), case, Layout(), rate)]
    for answer in answers:
        checks = compare(case, answer, exact.reference(case), Bounds(case, answer.read_off))
        assert {check.verdict for check in checks} == {Verdict.AGREE, Verdict.NOT_OFFERED}
    assert max(map(len, lines)) <= 310


def test_protocol_explains_every_key():
    """Those of a request in their order, and those of an answer."""
    lines = [line.split() for line in shown() if line.startswith("  ")]
    assert [words[0] for words in lines] == [*REQUEST, *REPLY]
    assert list(json.loads(request(1, build_case(NetworkSpec.parse(EXAMPLE)), Layout()))) == list(REQUEST)
    assert set(REPLY) == {"id", *KEYS, "unsupported"}


def test_protocol_prints_what_a_program_is_sent():
    """To be piped into one, for any case."""
    text = "3-2,identity,cross_entropy=index+weighted,mean,n5,f32,normal,s1"
    lines = shown("--requests", "--case", text)
    assert lines == ['{"describe":1}', request(1, build_case(NetworkSpec.parse(text)), Layout()).decode()]


def test_protocol_refuses_what_is_no_case():
    """With what an id is."""
    result = CliRunner().invoke(app, ["protocol", "--case", "3-2"])
    assert result.exit_code == 2
    assert "an id has 8 fields or more" in result.stderr
