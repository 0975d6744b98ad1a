"""The built site: where its links lead, what it loads, and whether widgets, search and folded solutions work.

tests/test_pages.py looks at every page in turn.
"""

import base64
import functools
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest
import torch
from browser import AXE, PAGES, ROOT, SHOWS_SCHEME, SITE, SIZES, Visit, needs_browser, needs_site
from links import addresses
from playwright.sync_api import Browser, Locator
from torch import nn

from hnetlib import MLP, HyperNetwork, TargetNetwork

SPACE, WELCOME = "book/07_task_space.html", "book/intro.html"
# What a page loads by itself, as opposed to a link that a reader may follow.
LOADING = {"script": "src", "link": "href", "img": "src", "iframe": "src", "video": "src", "audio": "src"}
REPOSITORY = "https://github.com/hnetlib/hnetlib-book"

pytestmark = needs_site


# --- what the files say, without a browser ------------------------------------------------------


def test_the_site_offers_every_assignment_without_its_solution() -> None:
    offered = {path.stem: path.read_text(encoding="utf-8") for path in (SITE / "assignments").glob("*.ipynb")}
    assert set(offered) == {path.stem for path in SITE.parents[1].glob("book/assignments/source/*/*.ipynb")}
    assert not [name for name, text in offered.items() if "### BEGIN" in text]


class Links(HTMLParser):
    """Collects what a page can be linked at, what it links to and what it loads."""

    def __init__(self, page: str):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed((SITE / page).read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.ids |= {values[key] for key in ("id", "name") if key in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in LOADING and values.get("rel") != "canonical":
            self.loads.append(values.get(LOADING[tag], ""))


@functools.cache
def links_of(page: str) -> Links:
    return Links(page)


def is_outside(address: str) -> bool:
    return bool(urlparse(address).netloc)


def broken_links(page: str) -> Iterator[str]:
    """Links and loaded files of a page that lead nowhere inside the site."""
    found = links_of(page)
    for address in found.links + found.loads:
        if not address or is_outside(address) or urlparse(address).scheme:
            continue
        path, anchor = urldefrag(urljoin(page, address))
        target = unquote(urlparse(path).path) or page
        if not (SITE / target).is_file():
            yield f"{address}: no such file"
        elif anchor and target.endswith(".html") and unquote(anchor) not in links_of(target).ids | {"top"}:
            yield f"{address}: no such place on the page"


@pytest.mark.parametrize("page", PAGES)
def test_page_names_nothing_to_load_from_outside(page):
    assert [address for address in links_of(page).loads if is_outside(address)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_internal_link_leads_somewhere(page):
    assert list(broken_links(page)) == []


def test_a_broken_link_is_found(tmp_path, monkeypatch):
    (tmp_path / "page.html").write_text(
        '<a href="gone.html">x</a> <a href="#gone">y</a> <a href="#here" id="here">z</a>'
    )
    monkeypatch.setattr(f"{__name__}.SITE", tmp_path)
    links_of.cache_clear()
    found = list(broken_links("page.html"))
    links_of.cache_clear()
    assert found == ["gone.html: no such file", "#gone: no such place on the page"]


def outside_links() -> set[str]:
    """Where the pages lead outside, but for buttons that are looked at by themselves."""
    found = {urldefrag(link)[0] for page in PAGES for link in links_of(page).links if is_outside(link)}
    buttons = ("https://mybinder.org/v2/", "https://colab.research.google.com/github/", f"{REPOSITORY}/issues/new")
    return {link for link in found if not link.startswith(buttons)}


def test_every_link_to_the_outside_is_on_the_list_that_make_links_asks():
    assert outside_links() <= set(addresses())


def test_the_list_of_outside_links_is_in_order():
    """All secure, and no two that differ only by a slash at the end, capitals or a www."""
    known = addresses()
    assert [address for address in known if not address.startswith("https://")] == []
    plain = [re.sub(r"^https://(www\.)?", "", address.lower()).rstrip("/") for address in known]
    assert sorted(plain) == sorted(set(plain))
    repositories = {address for address in known if re.match(r"https://github\.com/hnetlib", address)}
    assert {"/".join(address.split("/")[:5]) for address in repositories} == {REPOSITORY}


@pytest.mark.parametrize("page", [page for page in PAGES if re.match(r"book/\d\d_", page)])
def test_a_chapter_can_be_downloaded_and_opened_in_the_cloud(page):
    notebook = page.replace(".html", ".ipynb")
    links = links_of(page).links
    where = REPOSITORY.removeprefix("https://github.com/")
    assert f"https://colab.research.google.com/github/{where}/blob/main/{notebook}" in links
    assert f"https://mybinder.org/v2/gh/{where}/main?urlpath=lab/tree/{notebook}" in links
    assert (ROOT / notebook).is_file(), "the published branch has what the buttons open"
    download = f"_sources/{notebook}"
    assert urljoin(page, next(link for link in links if link.endswith(".ipynb") and not is_outside(link))) in {
        download,
        notebook,
    }
    assert [cell["id"] for cell in json.loads((SITE / download).read_text())["cells"]][1] == "setup"


# --- in the browser -------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=SIZES)
def visit(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Visit]:
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height})
    yield Visit(context.new_page())
    context.close()


@needs_browser
def test_search_finds_a_chapter(visit, address):
    visit.open(f"{address}/search.html?q=hypernetwork")
    results = visit.page.locator("#search-results a")
    results.first.wait_for(timeout=15_000)
    assert any("hypernetworks" in (link.get_attribute("href") or "") for link in results.all())
    assert visit.errors == []


@needs_browser
def test_solutions_are_folded_until_asked_for(visit, address):
    visit.open(f"{address}/book/01_hypernetworks.html")
    solution = visit.page.locator("div.solution.dropdown").first
    content = solution.locator(".section, section, p:not(.admonition-title)").first
    assert not content.is_visible()
    solution.locator(".admonition-title").click(position={"x": 5, "y": 5})
    content.wait_for(state="visible", timeout=5_000)


def ratio_of(chunk_size: int) -> float:
    """The compression ratio of the chapter's example, as the package counts it."""
    target = TargetNetwork(MLP([64, 100, 100, 100]))
    hnet = HyperNetwork(target.num_weights, 16, (16, 16), chunk_size, 8)
    return hnet.compression_ratio(num_tasks=10)


@needs_browser
def test_the_chunk_slider_is_alive_with_no_kernel(visit, address):
    """By keyboard and by mouse, it says what the package counts, and the picture follows."""
    visit.open(f"{address}/book/03_chunking.html")
    slider, said = visit.page.get_by_role("slider", name="Chunk size"), visit.page.locator(".hnet-chunks output")
    slider.wait_for(timeout=20_000)
    picture = "document.querySelector('.hnet-chunks canvas').toDataURL()"
    seen = set()
    for move in (lambda: None, lambda: slider.press("ArrowLeft"), lambda: slider.click(position={"x": 200, "y": 10})):
        move()
        text = said.inner_text()
        chunk_size, ratio = re.fullmatch(r"([\d,]+) weights at a time.* compression ratio (\d+\.\d\d)\.", text).groups()
        assert float(ratio) == pytest.approx(ratio_of(int(chunk_size.replace(",", ""))), abs=0.0051)
        seen.add((text, visit.page.evaluate(picture)))
    assert len({text for text, _ in seen}) == len({data for _, data in seen}) == 3
    assert visit.errors == []


# --- quizzes ----------------------------------------------------------------------------------------------------------

QUIZZES = [page for page in PAGES if (ROOT / "book" / "quizzes" / f"{Path(page).stem}.json").is_file()]


def quiz_of(visit: Visit, address: str, page: str) -> tuple[list[dict[str, Any]], Locator]:
    """The questions in their file, and their forms on the page."""
    visit.open(f"{address}/{page}")
    visit.page.locator(".hnet-quiz form").first.wait_for(timeout=20_000)
    file = ROOT / "book" / "quizzes" / f"{Path(page).stem}.json"
    return json.loads(file.read_text(encoding="utf-8")), visit.page.locator(".hnet-quiz form")


def number_in(answer: dict[str, Any]) -> str:
    """A number that an answer is for, as somebody may write it."""
    return f"{answer['value']:,}" if "value" in answer else f"{sum(answer['range']) / 2:.6g}"


def answered(form: Locator, question: dict[str, Any], chosen: list[dict[str, Any]]) -> str:
    """Answer by mouse; what is said then. Answers that were chosen before are taken back."""
    if question["type"] == "numeric":
        form.get_by_label("Your number").fill(number_in(chosen[0]) if chosen else "any")
    else:
        for answer, box in zip(question["answers"], form.locator("input").all(), strict=True):
            if answer in chosen or question["type"] == "many_choice":
                box.set_checked(answer in chosen)
    form.get_by_role("button").click()
    return form.get_by_role("status").inner_text()


@needs_browser
@pytest.mark.parametrize("page", QUIZZES)
def test_a_quiz_tells_right_from_wrong_and_says_why(visit, address, page):
    questions, forms = quiz_of(visit, address, page)
    assert forms.count() == len(questions)
    wide = visit.page.evaluate("innerWidth") > 600  # the same script on a phone: one question there is enough
    for form, question in list(zip(forms.all(), questions, strict=True))[: None if wide else 1]:
        right = [answer for answer in question["answers"] if answer.get("correct")]
        if question["type"] != "numeric":
            assert "first" in answered(form, question, [])
        for answer in question["answers"]:
            if answer in right or answer.get("type") == "default":
                continue
            said = answered(form, question, [answer])
            assert said.startswith("Not yet.") and plain(answer["feedback"]) in said
        said = answered(form, question, right)
        assert said.startswith("Right.")
        for answer in right if question["type"] == "many_choice" else right[:1]:
            assert plain(answer["feedback"]) in said
    assert visit.errors == [] and visit.hosts == {"127.0.0.1"}


def plain(text: str) -> str:
    """A feedback as it is shown, without its markup."""
    return re.sub(r"[*`]", "", text)


@needs_browser
def test_a_quiz_is_answered_by_keyboard_alone(visit, address):
    questions, forms = quiz_of(visit, address, "book/01_hypernetworks.html")
    choice, number = forms.nth(0), forms.nth(1)
    boxes, press = choice.get_by_role("radio"), visit.page.keyboard.press
    boxes.first.focus()
    press("Space")
    for _ in range(2):
        press("ArrowDown")
    assert boxes.nth(2).is_checked() and choice.get_by_role("status").inner_text() == ""
    press("Tab")  # from the group of choices to the button
    press("Enter")
    assert plain(questions[0]["answers"][2]["feedback"]) in choice.get_by_role("status").inner_text()
    press("Tab")
    assert number.get_by_label("Your number").evaluate("field => field === document.activeElement")
    visit.page.keyboard.type(number_in(questions[1]["answers"][0]))
    press("Enter")
    assert number.get_by_role("status").inner_text().startswith("Right.")


@needs_browser
def test_a_quiz_reads_numbers_as_people_write_them(visit, address):
    _, forms = quiz_of(visit, address, "book/01_hypernetworks.html")
    for text in ("10580", "10,580", "10 580", "10580.0", "21160/2", "10\u202f580"):
        forms.nth(1).get_by_label("Your number").fill(text)
        forms.nth(1).get_by_role("button").click()
        assert forms.nth(1).get_by_role("status").inner_text().startswith("Right."), text
    for text in ("", "ten", "1/2/3", "/"):
        forms.nth(1).get_by_label("Your number").fill(text)
        forms.nth(1).get_by_role("button").click()
        assert "a number first" in forms.nth(1).get_by_role("status").inner_text(), text


UNLABELLED = """() => axe.run(".hnet-quiz").then(found =>
  found.violations.map(rule => `${rule.id}: ${rule.nodes[0].html}`))"""


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_quiz_is_accessible_in_both_colour_schemes(visit, address, scheme):
    visit.page.emulate_media(color_scheme=scheme)
    questions, forms = quiz_of(visit, address, "book/02_output_regularizer.html")
    visit.page.wait_for_function(SHOWS_SCHEME, arg=scheme, timeout=5_000)
    for form, question in zip(forms.all(), questions, strict=True):
        answered(form, question, [question["answers"][0]])
    visit.page.evaluate(AXE.read_text(encoding="utf-8"))
    assert visit.page.evaluate(UNLABELLED) == []


# --- widgets: what the browser computes, against PyTorch --------------------------------------------------------------


@needs_browser
def test_the_site_works_from_a_stick_with_the_network_off(browser):
    """Opened as files: pages, formulas, a widget that moves, and the search."""
    context = browser.new_context(offline=True)
    visit = Visit(context.new_page())
    visit.open(f"{(SITE / WELCOME).as_uri()}")
    player = visit.page.locator(".hnet-forgetting")
    player.get_by_role("slider").press("Home")
    assert player.evaluate("el => el.hnet.moment") == 0
    visit.page.locator("a.right-next").click()
    visit.page.wait_for_url("**/01_hypernetworks.html")
    visit.page.locator("mjx-container").first.wait_for(timeout=15_000)
    assert visit.page.evaluate("[...document.images].every(one => one.naturalWidth > 0)")
    assert visit.errors == []
    visit.open(f"{(SITE / 'search.html').as_uri()}?q=chunk")
    found = visit.page.locator("#search-results li", has=visit.page.locator("a[href*=chunking]"))
    found.locator("p.context", has_text="chunk").first.wait_for(timeout=15_000)  # a line of the page is quoted
    assert visit.hosts == set() and visit.errors == []
    context.close()


# --- widgets: what the browser computes, against PyTorch --------------------------------------------------------------


def shipped(page: str, widget: str, **wanted: str) -> dict[str, Any]:
    """What a page sends to a widget: its traits, bytes among them, of the first one that has the wanted values."""
    html = (SITE / page).read_text(encoding="utf-8")
    found = re.findall(r'<script type="application/vnd.jupyter.widget-state\+json">(.*?)</script>', html, re.DOTALL)
    for model in (model for text in found for model in json.loads(text)["state"].values()):
        traits = model["state"]
        named = traits.get("_anywidget_id", "").endswith(widget)
        if not named or any(traits[name] != value for name, value in wanted.items()):
            continue
        sent = {buffer["path"][0]: base64.b64decode(buffer["data"]) for buffer in model.get("buffers", [])}
        return traits | sent
    raise LookupError(f"{page} has no {widget} with {wanted}")


def rebuilt(traits: dict[str, Any]) -> tuple[HyperNetwork, TargetNetwork]:
    """The networks whose weights the page sends, in PyTorch; in double precision, as JavaScript computes."""
    sizes = dict(traits["hypernet"])
    activation = getattr(nn, sizes.pop("activation"))
    sizes.pop("num_chunks")
    hnet = HyperNetwork(**sizes, task_dim=2, activation=activation)
    theta = torch.frombuffer(bytearray(traits["theta"]), dtype=torch.float32)
    nn.utils.vector_to_parameters(theta, hnet.theta().values())
    return hnet.double(), TargetNetwork(MLP(traits["layers"], getattr(nn, traits["activation"])).double())


def inputs_of(traits: dict[str, Any]) -> torch.Tensor:
    """The samples that the page sends, all tasks together, in double precision."""
    images = traits["kind"] == "classification"
    x = torch.frombuffer(bytearray(traits["inputs"]), dtype=torch.uint8 if images else torch.float32)
    return x.view(-1, traits["layers"][0]).double() / (255 if images else 1)


@torch.no_grad()
def assert_computed(explorer: Locator, traits: dict[str, Any]) -> list[float]:
    """The browser's weights and outputs are PyTorch's; returns where the point is."""
    hnet, target = rebuilt(traits)
    got = explorer.evaluate(
        "el => ({e: [...el.hnet.embedding], weights: [...el.hnet.weights],"
        " outputs: el.hnet.outputs.map(task => task.map(y => [...y]))})"
    )
    weights = hnet(torch.tensor(got["e"], dtype=torch.float64))
    torch.testing.assert_close(torch.tensor(got["weights"], dtype=torch.float64), weights, atol=1e-5, rtol=0)
    x, first = inputs_of(traits), 0
    for task, outputs in zip(traits["tasks"], got["outputs"], strict=True):
        head = task["head"] and slice(*task["head"])
        expected = target(weights, x[first : first + task["count"]], head)
        torch.testing.assert_close(torch.tensor(outputs, dtype=torch.float64), expected, atol=1e-5, rtol=0)
        first += task["count"]
    assert first == len(x)
    return got["e"]


def explorer_of(visit: Visit, address: str, kind: str) -> tuple[Locator, dict[str, Any]]:
    visit.open(f"{address}/{SPACE}")
    explorer = visit.page.locator(".hnet-embedding").nth(["classification", "regression"].index(kind))
    explorer.wait_for(timeout=20_000)
    explorer.scroll_into_view_if_needed()
    return explorer, shipped(SPACE, "EmbeddingExplorer", kind=kind)


@needs_browser
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_the_explorer_computes_as_pytorch_does_wherever_the_point_is_dragged(visit, address, kind):
    explorer, traits = explorer_of(visit, address, kind)
    plane = explorer.get_by_role("slider")
    plane.scroll_into_view_if_needed()
    box, mouse = plane.bounding_box(), visit.page.mouse
    places = [assert_computed(explorer, traits)]
    mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    mouse.down()
    for share in (0.5, 0.7, 0.95):
        mouse.move(box["x"] + share * box["width"], box["y"] + 0.6 * box["height"])
        places.append(assert_computed(explorer, traits))
    mouse.up()
    mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.4 * box["height"])
    assert assert_computed(explorer, traits) == places[-1], "let go, the point stays"
    assert len({tuple(place) for place in places}) == 4
    assert visit.errors == []


@needs_browser
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_the_explorer_obeys_the_keyboard_and_says_where_it_is(visit, address, kind):
    explorer, traits = explorer_of(visit, address, kind)
    plane, said = explorer.get_by_role("slider"), explorer.locator("output")
    step = traits["extent"] / 50
    plane.press("3")
    start = assert_computed(explorer, traits)
    assert start == traits["embeddings"][2]
    heard = {said.inner_text()}
    for key, (first, second) in {"ArrowRight": (1, 0), "ArrowUp": (0, 1), "Shift+ArrowLeft": (-5, 0)}.items():
        before = explorer.evaluate("el => [...el.hnet.embedding]")
        plane.press(key)
        moved = assert_computed(explorer, traits)
        assert moved == pytest.approx([before[0] + first * step, before[1] + second * step])
        heard.add(said.inner_text())
    assert len(heard) == 4
    assert plane.get_attribute("aria-valuetext").startswith("e = (")
    explorer.get_by_role("button", name="Jump to the embedding of task 1").press("Enter")
    assert assert_computed(explorer, traits) == traits["embeddings"][0]
    assert visit.errors == []


@needs_browser
def test_a_tap_moves_the_point_and_another_map_can_be_chosen(browser, address):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visit = Visit(context.new_page())
    explorer, traits = explorer_of(visit, address, "classification")
    plane = explorer.get_by_role("slider")
    plane.scroll_into_view_if_needed()
    before = assert_computed(explorer, traits)
    box = plane.bounding_box()
    visit.page.touchscreen.tap(box["x"] + 0.8 * box["width"], box["y"] + 0.2 * box["height"])
    after = assert_computed(explorer, traits)
    assert after != before and after[0] > 0 and after[1] > 0, "up and to the right"
    background = explorer.locator("image")
    first = background.get_attribute("href")
    explorer.get_by_label("Colours: accuracy on").select_option("4")
    assert background.get_attribute("href") != first
    assert visit.errors == []
    context.close()


def player_of(visit: Visit, address: str) -> tuple[Locator, dict[str, Any]]:
    visit.open(f"{address}/{WELCOME}")
    player = visit.page.locator(".hnet-forgetting")
    player.wait_for(timeout=20_000)
    return player, shipped(WELCOME, "ForgettingPlayer")


def assert_shown(player: Locator, traits: dict[str, Any]) -> tuple[str, int]:
    """What the player shows is what was measured: in words, and in the row of the matrix that is under way."""
    got = player.evaluate("el => el.hnet")
    method, moment = got["method"], got["moment"]
    task, known = traits["moments"][moment]["task"], [v for v in traits["history"][method][moment] if v is not None]
    assert got["values"] == known
    said = player.locator("output").inner_text()
    assert said.startswith(f"{method}: ")
    whole = [int(share) for share in re.findall(r"task \d+: (\d+)%", said)]
    assert whole == pytest.approx(known, abs=0.51)
    cells = player.locator("svg").first.locator("rect + text").all_text_contents()
    row = cells[task * (task + 1) // 2 : (task + 1) * (task + 2) // 2]
    assert [int(cell) for cell in row] == whole
    return method, moment


@needs_browser
def test_the_player_shows_what_was_measured_by_keyboard_and_by_mouse(visit, address):
    player, traits = player_of(visit, address)
    last = len(traits["moments"]) - 1
    assert assert_shown(player, traits) == ("fine-tuning", last)
    slider = player.get_by_role("slider")
    slider.press("Home")
    assert assert_shown(player, traits)[1] == 0
    slider.press("ArrowRight")
    assert assert_shown(player, traits)[1] == 1
    player.get_by_role("button", name="One moment on").click()
    assert assert_shown(player, traits)[1] == 2
    for method in ("EWC", "hnet"):
        player.get_by_role("radio", name=method).check()
        assert assert_shown(player, traits) == (method, 2)
    curves = player.locator("svg").last.locator("path").all()
    assert any(curve.get_attribute("d").count("L") == 2 for curve in curves), "three moments are two pieces of a line"
    assert visit.errors == []


@needs_browser
@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_the_player_plays_and_goes_task_by_task_where_stillness_is_preferred(visit, address, motion):
    visit.page.emulate_media(reduced_motion=motion)
    player, traits = player_of(visit, address)
    player.get_by_role("slider").press("Home")
    play = player.locator("button", has_text=re.compile("Play|Pause"))
    play.click()
    visit.page.wait_for_function("document.querySelector('.hnet-forgetting').hnet.moment > 0", timeout=10_000)
    play.click()
    moment = assert_shown(player, traits)[1]
    assert play.inner_text() == "Play"
    visit.page.emulate_media(reduced_motion="no-preference")
    assert traits["moments"][moment]["ends"] or motion == "no-preference"
    assert moment < len(traits["moments"]) - 1


@needs_browser
@pytest.mark.parametrize("page", [SPACE, WELCOME])
def test_without_scripts_and_on_paper_still_pictures_stand_in_for_widgets(browser, address, page):
    for scripts in (True, False):
        context = browser.new_context(java_script_enabled=scripts)
        tab = context.new_page()
        tab.goto(f"{address}/{page}")
        pictures = tab.locator("div.cell.tag_still img")
        assert pictures.count() == (2 if page == SPACE else 1)
        assert [picture.is_visible() for picture in pictures.all()] == [not scripts] * pictures.count()
        tab.emulate_media(media="print")
        assert all(picture.is_visible() for picture in pictures.all())
        context.close()


@pytest.mark.parametrize("page", [SPACE, WELCOME])
def test_a_page_with_widgets_and_its_pictures_stay_small(page):
    pictures = {urljoin(page, address) for address in links_of(page).loads if "_images/" in address}
    assert pictures
    assert sum((SITE / name).stat().st_size for name in {page, *pictures}) < 2_000_000
