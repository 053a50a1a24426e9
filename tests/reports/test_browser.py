"""The page in a real browser, opened from disk: what a person sees, does and is protected from.

It needs Chromium and its driver: `apt-get install chromium chromium-driver` where there is apt.
"""

import json
import shutil
from math import isnan
from pathlib import Path

import pandas as pd
import pytest

from backproof.reports.rendering import render

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
HOW = "no Chromium with its driver here: apt-get install chromium chromium-driver, or another system's way to both"

pytestmark = [pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason=HOW), pytest.mark.usefixtures("quick")]

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
HOSTILE = "</script><script>document.title='owned'</script>\"'><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One browser for all, with a profile of its own; it notes what it is asked for and what it complains about."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser: pip install selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}", "--window-size=1200,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def opened(browser, place: Path):
    """The page of a report directory; what a browser was told before is forgotten."""
    render(place)
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get((place / "index.html").as_uri())
    return browser


def at(browser, table: str, label: str) -> int:
    """Which column has this heading."""
    heads = browser.find_elements("css selector", f"#{table} thead th")
    return [head.get_attribute("textContent") for head in heads].index(label)


def column(browser, table: str, label: str) -> list[str]:
    """The cells of a column in the rows that are shown, from top to bottom."""
    number = at(browser, table, label)
    rows = f"document.querySelectorAll('#{table} tbody tr')"
    return browser.execute_script(
        f"return Array.from({rows}).filter(row => !row.hidden).map(row => row.cells[{number}].textContent)"
    )


def press(browser, table: str, label: str) -> str | None:
    """Press the button in the head of a column by the keyboard; how the column says it is sorted."""
    head = browser.find_elements("css selector", f"#{table} thead th")[at(browser, table, label)]
    head.find_element("css selector", "button").send_keys("\ue007")
    return head.get_attribute("aria-sort")


def test_numbers_are_those_of_the_files(browser, write):
    """What the browser shows is what pandas reads beside it; nothing was fetched, nothing complained about."""
    place = write()
    opened(browser, place)
    strata = pd.read_csv(place / "strata.csv")
    assert column(browser, "table-strata", "name") == strata["name"].tolist()
    full = "return Array.from(document.querySelectorAll('#table-strata [data-v]'), cell => cell.dataset.v)"
    counts = ["cases", "quantities", "disagreements"]
    ratios = ["worst_error_over_bound", "median_error_over_bound"]
    numbers = strata[[*counts, *ratios, "undecided", "kinks"]].to_numpy().ravel().tolist()
    shown = [float(value) if value else None for value in browser.execute_script(full)]
    assert shown == [None if isnan(number) else number for number in numbers]
    checks = pd.read_csv(place / "checks.csv")
    tile = "return document.querySelector('.tiles dd').textContent"
    assert int(browser.execute_script(tile)) == checks["case"].nunique()
    assert "WRONG GRADIENTS" in browser.find_element("tag name", "header").text
    told = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [each["params"] for each in told if each["method"] == "Network.requestWillBeSent"]
    # The browser's own start page, which may still be loading, asks the browser itself.
    urls = {each["request"]["url"] for each in asked if not each["documentURL"].startswith("chrome:")}
    assert urls == {(place / "index.html").as_uri()}
    assert browser.get_log("browser") == []


def test_tables_are_sorted_and_filtered(browser, write, small):
    """By number and by text, both ways and by the keyboard; empty cells last; the rows that remain are counted."""
    rows = [
        small.check(f"1-{n},relu,mse,sum,n1,f64,normal,s{n}", "loss", "disagree", ratio, note=note)
        for n, (ratio, note) in enumerate(
            [(9.0, "b"), (1e3, "A"), (float("inf"), "c"), (None, ""), (20.0, "b"), (3.0, "d"), (4.0, "e"), (5.0, "f"),
             (6.0, "g"), (7.0, "h")]
        )
    ]  # fmt: skip
    opened(browser, write(checks=rows))
    table, ratio, note = "table-discrepancies", "error / bound", "note"
    assert column(browser, table, note) == ["b", "A", "c", "", "b", "d", "e", "f", "g", "h"]
    assert press(browser, table, ratio) == "descending"
    assert column(browser, table, ratio) == ["∞", "1e+03", "20", "9", "7", "6", "5", "4", "3", ""]
    assert press(browser, table, ratio) == "ascending"
    assert column(browser, table, ratio) == ["3", "4", "5", "6", "7", "9", "20", "1e+03", "∞", ""]
    assert press(browser, table, note) == "ascending"
    assert column(browser, table, note) == ["A", "b", "b", "c", "d", "e", "f", "g", "h", ""]
    assert browser.execute_script("return document.querySelectorAll('[aria-sort]').length") == 1
    field = browser.find_element("id", f"filter-{table}")
    field.send_keys("S4 disagree")
    assert column(browser, table, note) == ["b"]
    told = browser.find_element("css selector", f"#{table}").find_element("xpath", "../preceding-sibling::div//output")
    assert told.text == "1 of 10 rows"
    field.clear()
    field.send_keys(" ")
    assert told.text == "10 of 10 rows"


def test_hostile_names_inject_nothing(browser, write, small):
    """Scripts, quotes and elements in every text that comes from a candidate: shown as they are, and not run."""
    rows = [small.check(HOSTILE, "loss", "error", None, note=HOSTILE, candidate=HOSTILE)]
    said = small.screen(HOSTILE, headline=HOSTILE, card=[(HOSTILE, HOSTILE)], facts=[(HOSTILE, HOSTILE)])
    place = write("a<b>'&\"", checks=rows, screens=[said], smallest=HOSTILE, command=HOSTILE)
    opened(browser, place)
    assert browser.title == f"{HOSTILE}: disagrees – Backproof"
    assert browser.execute_script("return [document.scripts.length, document.images.length]") == [1, 0]
    assert browser.find_element("tag name", "h1").text == HOSTILE
    assert column(browser, "table-discrepancies", "note") == [HOSTILE]
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [380, 1200])
def test_nothing_but_tables_and_plots_scrolls_sideways(browser, write, width):
    """On a phone, and on a desk; in the dark the colours are others."""
    command = browser.execute_cdp_cmd
    command(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    )
    command("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    opened(browser, write())
    try:
        sizes = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        assert len(set(browser.execute_script(sizes))) == 1
        colours = "let s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
        ink, paper = browser.execute_script(colours)
        assert (ink, paper) == ("rgb(228, 232, 236)", "rgb(21, 25, 29)")
        assert browser.execute_script("return getComputedStyle(document.querySelector('svg text')).fill") == ink
    finally:
        command("Emulation.clearDeviceMetricsOverride", {})
        command("Emulation.setEmulatedMedia", {"features": []})


def test_the_keyboard_reaches_the_content(browser, write):
    """The first key leads to the link past the head, which is seen when it is there."""
    opened(browser, write())
    keys = pytest.importorskip("selenium.webdriver").ActionChains(browser)
    keys.send_keys("\ue004").perform()
    link = browser.switch_to.active_element
    assert (link.text, link.rect["x"] >= 0) == ("To the content", True)
    keys.send_keys("\ue007").perform()
    assert browser.switch_to.active_element.get_attribute("id") == "content"
