"""The page, as text: what stands on it, and that nothing of it is taken for anything but text. See test_browser too."""

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from backproof.reports.page import SHOWN, page
from backproof.reports.reading import read_run

pytestmark = pytest.mark.usefixtures("quick")

HOSTILE = "</script><script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


class Elements(HTMLParser):
    """Which elements a page has, with their attributes, and the text of its cells by the id of their table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.rows: dict[str, list[list[str]]] = {}
        self._table, self._open = "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes it."""
        self.found.append((tag, dict(attrs)))
        if tag == "table":
            self._table = dict(attrs)["id"] or ""
            self.rows[self._table] = []
        elif tag == "tr":
            self.rows[self._table].append([])
        elif tag in {"td", "th"}:
            self.rows[self._table][-1].append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        """The cell ends."""
        self._open = self._open and tag not in {"td", "th"}

    def handle_data(self, data: str) -> None:
        """The text of a cell."""
        if self._open:
            self.rows[self._table][-1][-1] += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture
def made(write):
    """Writes a report and makes its page."""
    return lambda *args, **fields: page(read_run(write(*args, **fields)))


def test_the_verdict_comes_first(made):
    """Then what is wrong, then the numbers; each heading with its own place in the contents."""
    text = made(smallest="import numpy\n")
    elements = Elements(text)
    order = ["my_net.py:f</h1>", "WRONG GRADIENTS", "in 1 of 2", "<h2>What is wrong", "the weight gradient"]
    order += ["x = 1\ndC/dW = 2", "import numpy", "<h2>What was compared", "2 weight gradients\nand nothing else"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    links = [link["href"] for link in elements.of("a") if link["href"].startswith("#")]
    sections = {section["id"] for section in elements.of("section") if "id" in section}
    assert {link[1:] for link in links} <= sections | {"content"}
    assert sections == {link[1:] for link in links} - {"content"}
    assert [tag for tag, _ in elements.found if re.fullmatch("h[1-6]", tag)].count("h1") == 1


def test_numbers_are_those_of_the_tables(made, small):
    """Tiles, strata, scaling, equations, worst rows and discrepancies."""
    text = made()
    tiles = dict(re.findall(r"<dt>([^<]*)</dt><dd data-v=\"([^\"]*)\"", text))
    assert tiles == {
        "networks": "2", "wrong networks": "1", "quantities": "3", "wrong quantities": "1", "undecided": "1",
        "worst error / bound": "40.0",
    }  # fmt: skip
    rows = Elements(text).rows
    assert [row[0] for row in rows["table-strata"][1:]] == ["relu", "mse", "l1"]
    assert rows["table-scaling"][1] == ["mse", "sum / mean", "7", "9", "N*O", "63", "63", "63", "agree", "id"]
    assert rows["table-equations"][1][:4] == ["BP4", "broken", "output", "input_not_activation"]
    assert [row[2] for row in rows["table-worst"][1:]] == ["40", "0.25", "0"]
    assert [row[:2] for row in rows["table-discrepancies"][1:]] == [["weight 2", "disagree"], ["loss", "undecided"]]
    assert rows["pairs"][2] == ["relu", "mse", "1", "3", "40"]
    assert rows["by-batch-size"][1] == ["3", "3", "0", "0.25", "40", "40"]


def test_it_says_what_it_leaves_out(made, small):
    """So many discrepancies are shown, those that fail first, and the rest is said to be elsewhere."""
    few = [small.check(small.deep, "loss", "kink", note=str(number)) for number in range(9)]
    many = few + [small.check(small.deep, "loss", "disagree", 3.0, note=f"w{number}") for number in range(SHOWN)]
    text = made("many", checks=many)
    rows = Elements(text).rows["table-discrepancies"][1:]
    assert len(rows) == SHOWN
    assert rows[0][-2:] == ["w0", small.deep]
    assert f"9 more are not shown here: all {SHOWN + 9} are in discrepancies.csv and discrepancies.parquet." in text
    assert [row[-2] for row in Elements(made("few", checks=few)).rows["table-discrepancies"][1:]] == [*"012345678"]
    none = made("none", checks=[small.check(small.deep, "loss")])
    assert "None: every quantity that could be compared agrees." in none


def test_rows_of_the_first_networks_are_said_to_be_that(write):
    """Where a run was too large to keep all rows: the first numbers are about all, the plots about some."""
    place = write()
    told = json.loads((place / "verdict.json").read_text())
    (place / "verdict.json").write_text(json.dumps(told | {"cases": 30_000, "verdicts": {"agree": 90_000, "shape": 1}}))
    text = page(read_run(place))
    tiles = dict(re.findall(r"<dt>([^<]*)</dt><dd data-v=\"([^\"]*)\"", text))
    assert tiles == {
        "networks": "30000", "quantities": "90000", "wrong quantities": "1", "undecided": "0",
        "worst error / bound": "40.0",
    }  # fmt: skip
    assert text.count("the first 2 of 30,000 networks, whose rows are in checks.") == 3


def test_it_can_be_used_without_seeing_it(made):
    """A language, a link past the head, captions, scopes, words for every plot, names for what scrolls."""
    elements = Elements(made())
    assert elements.of("html") == [{"lang": "en"}]
    assert elements.of("a")[0] == {"class": "skip", "href": "#content"}
    assert len(elements.of("caption")) == len(elements.of("table"))
    assert {head["scope"] for head in elements.of("th")} == {"row", "col"}
    assert all(plot["role"] == "img" and plot["aria-label"] for plot in elements.of("svg"))
    regions = [box for box in elements.of("div") if box.get("role") == "region"]
    assert len(regions) >= len(elements.of("table"))
    assert all(box["aria-label"] and box["tabindex"] == "0" for box in regions)
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    classes = {name for _, attributes in elements.found for name in (attributes.get("class") or "").split()}
    assert all(name.replace("_", "").isalpha() for name in classes)
    assert sum(box.get("class") == "bad" for box in elements.of("div")) == 3


def test_nothing_is_fetched(made):
    """No address but those of the files beside it, and a policy that allows the page's own script alone."""
    text = made()
    elements = Elements(text)
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", text)
    assert "@import" not in text
    assert [tag for tag, _ in elements.found if tag in {"link", "img", "iframe", "object", "base", "form"}] == []
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [meta["content"] for meta in elements.of("meta") if "http-equiv" in meta]
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    )


def test_hostile_texts_stay_text(made, small):
    """Wherever a candidate, a message or a path may stand: everything is shown, nothing is run."""
    rows = [small.check(HOSTILE, "loss", "error", None, note=HOSTILE, candidate=HOSTILE)]
    strata = [(*small.strata[0][:1], HOSTILE, *small.strata[0][2:11], HOSTILE)]
    text = made(
        checks=rows, strata=strata,
        screens=[small.screen(HOSTILE, headline=HOSTILE, tone=HOSTILE, card=[(HOSTILE, HOSTILE)])],
        equations=[(HOSTILE, *small.equations[0][1:])], smallest=HOSTILE, command=HOSTILE,
        **{HOSTILE: {HOSTILE: HOSTILE}},
    )  # fmt: skip
    plain = Elements(made("plain", checks=rows[:1], smallest="x"))
    elements = Elements(text)
    assert len(elements.of("script")) == 1
    assert elements.of("img") == []
    assert {name for tag, attributes in elements.found for name in attributes} <= {
        name for tag, attributes in plain.found for name in attributes
    }
    assert HOSTILE in unescape(text)
    assert elements.rows["table-discrepancies"][1][-2:] == [HOSTILE, HOSTILE]


def test_several_candidates_share_a_page(made, small):
    """As after a test session: a verdict for each, and a card for each that is wrong."""
    two = made(screens=[small.screen("one"), small.screen("two", card=[], tone="agrees", word="AGREES")])
    assert two.count("<h1>") == 2
    assert "What is wrong: one" in two
    assert "<title>one, two: disagrees – Backproof</title>" in two


def test_what_is_told_besides_is_shown(write):
    """That it was stopped, and single failures."""
    place = write()
    said = json.loads((place / "screen.json").read_text())
    said |= {"screens": [], "notes": ["Stopped after 3 of 9"], "told": [["test_it", "what was <wrong>"]]}
    (place / "screen.json").write_text(json.dumps(said))
    text = page(read_run(place))
    assert '<p class="warning">Stopped after 3 of 9</p>' in text
    assert '<h3>test_it</h3>\n<pre tabindex="0">what was &lt;wrong&gt;</pre>' in text
    assert "<h1>Backproof</h1>" in text
