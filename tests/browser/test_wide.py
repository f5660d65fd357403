"""A page of 8 models with 4 losses, that of a search and that of a look at a data set, as people use them."""

import io
import re
from itertools import pairwise
from types import SimpleNamespace

import polars as pl
import pytest

from gbdt_pwiser.data import Dataset, SplitOptions
from gbdt_pwiser.evaluation import summarize
from gbdt_pwiser.evaluation.check import check
from tests.evaluation.test_check import made as exposures
from tests.report.wide import LOSSES, MODELS, wide

pytest.importorskip("matplotlib", reason="needs the report extra")
KINDS = ("wide", "search", "check")


@pytest.fixture(scope="module")
def results():
    return wide()


@pytest.fixture(scope="module")
def files(results, tmp_path_factory, browser):
    from gbdt_pwiser.report import write_report
    from gbdt_pwiser.report.check_page import write_check_report
    from gbdt_pwiser.report.tuning import write_tuning_report
    from gbdt_pwiser.tuning import Confirmation, Gain
    from tests.tuning.test_fronts import BCE, A, B, C, D, E, F, G, tuning

    folder = tmp_path_factory.mktemp("pages")
    write_report(folder / "wide.html", *results)
    gains = tuple(
        Gain(metric, 0.75, 0.75 + gain, gain, gain - 0.002, gain + 0.002, 0.01, "DeLong")
        for metric, gain in (("ctr_auc", 0.0004), ("conversion_auc", 0.01), ("log_loss", 0.01))
    )
    found = tuning(BCE, A, B, C, D, E, F, G)
    found = SimpleNamespace(
        **{name: getattr(found, name) for name in dir(found) if not name.startswith("_")}
        | {"confirmation": Confirmation((5, 6), gains)}
    )
    write_tuning_report(folder / "search.html", found, title="A search", command="gbdt-pwiser tune")
    seen = check(Dataset(exposures(), SplitOptions("time")))
    write_check_report(folder / "check.html", seen, command="gbdt-pwiser check made.toml")
    return {kind: folder / f"{kind}.html" for kind in KINDS}


@pytest.fixture
def open_page(files, browser):
    """Open a page of a kind; the context is closed after the test."""
    contexts = []

    def open_page(kind, width=1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(files[kind].as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


# ------------------------------------------------------------------------------ what is seen


@pytest.mark.parametrize("kind", KINDS)
def test_no_page_is_wider_than_the_screen(open_page, kind):
    page = open_page(kind)
    for width in (390, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        size = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        wide, seen = page.evaluate(size)
        assert wide <= seen == width
    assert page.complaints == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_and_its_figure_are_seen_first(open_page, kind):
    page = open_page(kind)
    answer, figure = page.locator(".answer"), page.locator("figure").first
    assert answer.bounding_box()["y"] < 150
    assert figure.bounding_box()["y"] < 450
    assert page.get_attribute("html", "lang") == "en"
    assert page.title() == page.inner_text("h1")


# Each text that is seen with the colours of its ink and of the first paper behind it.
COLOURS = """() => {
  const solid = colour => colour !== "rgba(0, 0, 0, 0)" && colour !== "transparent", found = {};
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    const svg = element.closest("svg"), style = getComputedStyle(element);
    let behind = svg ? svg.parentElement : element;
    while (behind && !solid(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
    const pair = [svg ? style.fill : style.color, getComputedStyle(behind).backgroundColor];
    found[pair.join("|")] = walker.currentNode.data.trim().slice(0, 30);
  }
  return Object.entries(found).map(([pair, text]) => [...pair.split("|"), text]);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_text_stands_out_from_what_is_behind_it(open_page, kind, scheme):
    from tests.browser.test_page import contrast

    pairs = open_page(kind, color_scheme=scheme).evaluate(COLOURS)
    assert len(pairs) >= 3
    for ink, paper, text in pairs:
        assert contrast(ink, paper) >= 4.5, (ink, paper, text)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_and_borders_of_focus_stand_out(open_page, scheme):
    """WCAG asks 3 of what is no text: colours of lines and dots, and the outline of what has the focus."""
    from tests.browser.test_page import contrast

    page = open_page("wide", color_scheme=scheme)
    drawn = page.evaluate(
        """() => [...new Set([...document.querySelectorAll("figure svg :is(path, use)")]
          .map(mark => getComputedStyle(mark).stroke).filter(colour => colour.startsWith("rgb(")))]"""
    )
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    told = [colour for colour in drawn if colour != "rgb(176, 176, 176)"]  # but the lines of the grid
    assert len(told) >= 4
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineColor")
    for colour in (*told, outline):
        assert contrast(colour, paper) >= 3, colour


OVERLAPS = """svg => {
  const texts = [...svg.querySelectorAll("text")].map(t => [t.textContent, t.getBoundingClientRect()]);
  const found = [];
  texts.forEach(([a, p], i) => texts.slice(i + 1).forEach(([b, q]) => {
    const across = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    // The box of a line is a little taller than its letters.
    if (across > 1 && down > 0.35 * Math.min(p.height, q.height)) found.push([a, b]);
  }));
  return found;
}"""


@pytest.mark.parametrize("kind", KINDS)
def test_no_labels_of_a_plot_overlap(open_page, kind):
    drawings = open_page(kind).locator("figure svg")
    found = {
        drawings.nth(i).get_attribute("aria-label")[:30]: pairs
        for i in range(drawings.count())
        if (pairs := drawings.nth(i).evaluate(OVERLAPS))
    }
    assert found == {}


# ------------------------------------------------------------------------------ what people do


def shown(page, table):
    return page.locator(f"#{table} tbody tr:visible").evaluate_all(
        "rows => rows.map(row => [row.dataset.model, row.dataset.loss, row.classList.contains('begins')])"
    )


def test_rows_are_filtered_by_model_and_loss(open_page):
    page = open_page("wide")
    whole = [(model, loss) for model in MODELS for loss in LOSSES]
    assert [tuple(row[:2]) for row in shown(page, "results")] == whole
    for model in MODELS[:6]:
        page.get_by_role("checkbox", name=model, exact=True).uncheck()
    page.get_by_role("checkbox", name="bce", exact=True).focus()
    page.keyboard.press("Space")
    left = [["ple", "pwiser", True], *(["ple", loss, False] for loss in LOSSES[2:])]
    left += [["aitm", *row[1:]] for row in left]
    for table in ("results", "top"):
        assert shown(page, table) == left
    assert page.locator("table.cells").count() == 4
    assert page.inner_text(".filter p") == "The tables show 6 of 32 rows; plots and files hold all."
    page.locator("#results thead button").first.click()  # sorted by model, aitm before ple
    assert [row[0] for row in shown(page, "results")] == ["aitm"] * 3 + ["ple"] * 3
    assert [row[2] for row in shown(page, "results")] == [True, False, False] * 2


def test_without_a_script_all_is_shown(open_page):
    page = open_page("wide", java_script_enabled=False)
    assert page.locator("#results tbody tr:visible").count() == 32
    assert page.locator(".filter").is_hidden()
    assert page.get_by_role("button", name="Copy").count() == 0
    assert page.locator("figure svg:visible").count() == 7


@pytest.mark.parametrize("how", ["clipboard", "older browser"])
def test_a_table_is_copied_as_it_is_shown(open_page, results, how):
    page = open_page("wide", permissions=["clipboard-read", "clipboard-write"])
    if how == "older browser":
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    page.get_by_role("checkbox", name="lightgbm", exact=True).uncheck()
    page.get_by_role("button", name="Copy the table: Results").click()
    page.get_by_role("button", name="Copied the table: Results").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Copied"  # the focus stays
    text = page.evaluate("navigator.clipboard.readText()")
    table = pl.read_csv(io.StringIO(text), separator="\t", infer_schema=False)
    assert table.columns[:5] == ["model", "loss", "weight", "CTR AUC", "CTR AUC gain"]
    assert table.shape == (28, 3 + 2 * 8)
    by_cell = {(s.model, s.loss): s for s in summarize(results[0]) if s.metric == "ctr_auc"}
    for row in table.iter_rows(named=True):
        s = by_cell[row["model"], row["loss"]]
        assert row["CTR AUC"] == f"{s.mean:.4f} ± {s.standard_error:.4f}".replace("0.", ".")
        gain = re.sub("^[▲▼] ", "", row["CTR AUC gain"] or "")
        expected = f"{s.gain:+z.4f} ± {s.gain_standard_error:.4f}".replace("0.", ".")
        assert gain == ("" if s.loss == "bce" else expected)
        assert bool(re.match("[▲▼]", row["CTR AUC gain"] or "")) == (s.verdict != "unclear")


def test_the_data_of_a_plot_is_downloaded(open_page, tmp_path):
    page = open_page("wide")
    with page.expect_download() as download:
        page.get_by_role("link", name="Plot of gains: its data as CSV").click()
    assert download.value.suggested_filename == "gains.csv"
    download.value.save_as(tmp_path / "gains.csv")
    assert pl.read_csv(tmp_path / "gains.csv").shape == (24 * 4, 8)


@pytest.mark.parametrize("width", [390, 1280])
def test_names_stay_in_sight_while_a_table_is_scrolled(open_page, width):
    page = open_page("wide", width)
    box = page.locator(".scroll:has(> #results)")
    box.scroll_into_view_if_needed()
    box.evaluate("box => box.scrollTo(box.scrollWidth, box.scrollHeight)")
    frame = box.bounding_box()
    head, last = page.locator("#results thead th"), page.locator("#results tbody tr").last
    assert abs(head.last.bounding_box()["y"] - frame["y"]) < 2
    assert abs(last.locator("th").bounding_box()["x"] - frame["x"]) < 2
    model, loss = last.locator("th").bounding_box(), last.locator("td").first.bounding_box()
    assert abs(model["x"] + model["width"] - loss["x"]) < 2  # side by side, neither below the other
    assert loss["x"] + loss["width"] < frame["x"] + frame["width"] - 80  # and room for numbers
    assert last.locator("td").last.bounding_box()["x"] < frame["x"] + frame["width"]


def test_the_focus_goes_through_the_page_in_reading_order(open_page):
    page = open_page("search")
    places = []
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement !== document.body") and len(places) < 60:
        places.append(page.evaluate("document.activeElement.getBoundingClientRect().top + scrollY"))
        page.keyboard.press("Tab")
    reachable = page.locator("main :is(a, button, input, .scroll, pre):visible").count()
    assert len(places) == reachable > 10
    # Beside a plot, not below it, stands the link to its data.
    assert all(later > earlier - 60 for earlier, later in pairwise(places))


# ------------------------------------------------------------------------------ on paper


@pytest.mark.parametrize("kind", KINDS)
def test_on_paper_there_are_no_controls_and_nothing_is_cut(open_page, kind, tmp_path):
    page = open_page(kind, 718, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator(":is(nav, .tools, .data, .filter input):visible").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 35)"
    cut = page.locator(".scroll").evaluate_all(
        "all => all.filter(box => getComputedStyle(box).overflow !== 'visible').length"
    )
    assert cut == 0
    # A4 less its margins is 703 by 1017 pixels; the broad table has it lengthwise.
    tall = page.locator("figure").evaluate_all("all => Math.max(...all.map(f => f.offsetHeight))")
    assert tall < 1017
    page.set_viewport_size({"width": 1032 if kind == "wide" else 703, "height": 900})
    wide, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= seen
    page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True, print_background=True)
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", (tmp_path / "page.pdf").read_bytes())
    lying = sum(float(width) > float(height) for width, height in boxes)
    assert bool(lying) == (kind == "wide")
    assert len(boxes) <= {"wide": 18, "search": 6, "check": 2}[kind]


def test_the_page_of_32_cells_is_of_modest_size(files):
    assert files["wide"].stat().st_size < 2.5 * 2**20
