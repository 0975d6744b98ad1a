"""The scoreboard on the built site: its filters without a kernel, the whole table without JavaScript, its links."""

# The fixture `visit` of test_site.py is used here, too.
# ruff: noqa: F811

import html
import json
import re
from urllib.parse import urljoin

import pytest
from browser import SITE, needs_browser, needs_site
from playwright.sync_api import Browser, Page
from test_site import links_of, visit  # noqa: F401

from hnetlib.experiments import record
from hnetlib.experiments.report import report

BOARD, EQUATIONS = "book/scoreboard.html", "book/equations.html"
pytestmark = needs_site


def shown(page: Page) -> list[dict[str, str]]:
    """The rows that a reader sees: name, and what they are filtered by."""
    found: list[dict[str, str]] = page.locator(".sb-rows tbody tr").evaluate_all(
        """rows => rows.filter(row => row.checkVisibility()).map(
            row => ({...row.dataset, name: row.querySelector("th code").textContent}))"""
    )
    return found


def said(page: Page) -> tuple[int, int]:
    """How many rows of how many the page says that it shows."""
    found = re.fullmatch(r"(\d+) of (\d+) rows", page.locator(".sb-filters output").inner_text())
    assert found
    return int(found[1]), int(found[2])


@needs_browser
def test_filters_work_by_keyboard_and_say_how_many_rows_are_left(visit, address):
    visit.open(f"{address}/{BOARD}")
    page = visit.page
    everything = len(report())
    assert said(page) == (everything, everything)
    table = page.get_by_label("In the paper")
    table.focus()
    page.keyboard.press("ArrowDown")
    chosen = table.input_value()
    assert chosen == "Table 1"
    left = shown(page)
    assert said(page) == (len(left), everything) and 0 < len(left) < everything
    assert {row["where"] for row in left} == {"Table 1"}
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "method"
    page.get_by_label("Method").select_option("hnet-ent")
    names = [row["name"] for row in shown(page)]
    assert names and all(name.endswith("hnet-ent") for name in names)
    page.get_by_label("Name of the row").fill("CL3 s-")
    assert [row["name"] for row in shown(page)] == ["s-cl3-hnet-ent"]
    page.get_by_label("Name of the row").fill("no such row")
    assert said(page) == (0, everything)
    page.get_by_role("button", name="Show all").press("Enter")
    page.wait_for_function(f"document.querySelector('.sb-filters output').value.startsWith('{everything} ')")
    assert len(shown(page)) == everything and table.input_value() == ""
    assert visit.errors == []


@needs_browser
def test_status_and_tier_are_those_of_the_report(visit, address):
    visit.open(f"{address}/{BOARD}")
    for status in sorted({row.status for row in report()}):
        visit.page.get_by_label("Status").select_option(status)
        wanted = [r.id for r in report() if r.status == status]
        assert [row["name"] for row in shown(visit.page)] == wanted


@needs_browser
def test_without_javascript_the_whole_table_stands_there(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{BOARD}")
    assert len(shown(page)) == len(report())
    assert page.locator(".sb-filters").count() == 0
    context.close()


@needs_browser
@pytest.mark.parametrize("page", [BOARD, "book/hyperparameters.html"])
def test_the_page_is_no_wider_than_its_window_with_all_details_open(visit, address, page):
    visit.open(f"{address}/{page}")
    wider = "document.querySelectorAll('details').forEach(d => d.open = true); document.documentElement.scrollWidth"
    assert visit.page.evaluate(wider) <= visit.page.evaluate("window.innerWidth")


def test_every_record_that_the_page_links_to_is_published_as_it_is() -> None:
    linked = {link for link in links_of(BOARD).links if link.startswith("../records/")}
    runs = {run["experiment"] for run in map(json.loads, ((SITE / "book" / link).read_text() for link in linked))}
    assert runs >= {row.experiment for row in report() if row.n}
    for link in linked:
        path = link.removeprefix("../records/")
        assert (SITE / "book" / link).read_bytes() == (record.RESULTS / path).read_bytes()


def test_links_from_equations_lead_to_the_line_that_defines_the_name() -> None:
    found = re.findall(
        r'<a href="(\.\./source/[\w.]+\.html)#(L-\d+)"><code>([\w.]+)</code></a>', (SITE / EQUATIONS).read_text()
    )
    assert len(found) >= 20
    for link, anchor, name in found:
        page = (SITE / urljoin(EQUATIONS, link)).read_text()
        line = page.partition(f'id="{anchor}"')[2].partition('id="L-')[0]
        assert name.rpartition(".")[2] in html.unescape(re.sub(r"<[^>]*>", "", line)), (name, line)
