"""The page as a browser shows it: complaints, requests, sorting, plots, and room on small screens."""

import math
import sys

import pytest

from gbdt_pwiser.cli import main
from gbdt_pwiser.report import write_report
from tests.report.made import made

pytest.importorskip("matplotlib", reason="needs the report extra")

MODELS = {
    "lightgbm": ("bce", "pwiser", "lambdarank"),
    "xgboost": ("bce", "pwiser"),
    "dnn": ("bce", "pwiser"),
    "mmoe": ("bce", "pwiser"),
}
COMPARE = (
    "compare --dataset simulated --exposures 3000 --ctr 0.2 --cvr 0.3 --seeds 2 "
    "--model lightgbm --model xgboost --sweep-weight 0,0.03,0.3 --calibrate isotonic --bootstrap 20 "
    "--rounds 6 --early-stopping 3 --learning-rate 0.3 --threads 1"
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two pages: of made results, for two boosters and two networks on a published set, and of a real run."""
    folder = tmp_path_factory.mktemp("pages")
    results, details = made(MODELS, dataset="us", losses=MODELS.get, extra=("test_isotonic",))
    write_report(folder / "made" / "report.html", results, details)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["gbdt-pwiser", *COMPARE.split(), "--output", str(folder / "real")])
        main()
    return {kind: folder / kind / "report.html" for kind in ("made", "real")}


@pytest.fixture(params=["made", "real"])
def page(request, files, browser):
    """An opened page at desktop size, with what it complained of and asked for."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.complaints, page.requests = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(files[request.param].as_uri())
    yield page
    page.close()


def test_nothing_is_complained_of_or_asked_for(page):
    assert page.complaints == []
    assert page.requests[0] == page.url
    assert [url for url in page.requests[1:] if not url.startswith("data:")] == []
    assert page.title() == page.inner_text("h1")


def test_the_browser_itself_refuses_the_network(page):
    """The checks above can fail: a script that asks for something is stopped and told of."""
    refused = page.evaluate("() => fetch('http://127.0.0.1:9/').then(() => 'answered', () => 'refused')")
    assert refused == "refused"
    assert any("Content Security Policy" in complaint for complaint in page.complaints)


def in_order(values, sign):
    """Whether numbers ascend (sign 1) or descend (-1), those that are none last."""
    numbers = [float(value) for value in values]
    known = [number for number in numbers if not math.isnan(number)]
    return numbers[: len(known)] == sorted(known, reverse=sign < 0)


@pytest.mark.parametrize("how", ["click", "keyboard"])
def test_tables_sort(page, how):
    tables = page.eval_on_selector_all("table.sortable", "tables => tables.length")
    assert tables >= 3
    for index in range(tables):
        table = f"table.sortable >> nth={index}"
        headings = page.locator(f"{table} >> thead th")
        for number in range(headings.count()):
            heading, button = headings.nth(number), headings.nth(number).locator("button")
            numeric = "number" in (heading.get_attribute("class") or "")
            before = sorted(cells(page, index, number))
            for sign, told in ((1, "ascending"), (-1, "descending")):
                if how == "click":
                    button.click()
                else:
                    button.focus()
                    page.keyboard.press("Enter" if sign > 0 else "Space")
                assert heading.get_attribute("aria-sort") == told
                values = cells(page, index, number)
                assert sorted(values) == before
                if numeric:
                    assert in_order(values, sign)
                else:
                    assert [v.lower() for v in values] == sorted(map(str.lower, values), reverse=sign < 0)
            sorted_by = page.locator(f"{table} >> th[aria-sort]")
            assert sorted_by.count() == 1


def cells(page, table, number):
    return page.evaluate(
        "([table, column]) => [...document.querySelectorAll('table.sortable')[table].tBodies[0].rows]"
        ".map(row => row.cells[column].dataset.value)",
        [table, number],
    )


def test_every_control_can_be_reached_by_keyboard(page):
    reachable = page.evaluate(
        "() => [...document.querySelectorAll('button, .scroll')].every(element => element.tabIndex === 0)"
    )
    assert reachable
    names = page.eval_on_selector_all(".scroll", "all => all.map(each => each.getAttribute('aria-label'))")
    assert all(names)
    assert len(set(names)) == len(names)


# Marks of a drawing: filled or stroked shapes with a size, in the places where they are seen.
MARKS = """svg => [...svg.querySelectorAll('path, use')].filter(mark => {
  if (mark.closest('defs, clipPath')) return false;
  const box = mark.getBoundingClientRect(), style = getComputedStyle(mark);
  return box.width + box.height > 0 && (style.fill !== 'none' || style.stroke !== 'none');
}).length"""


def test_every_plot_has_marks_and_a_name(page):
    drawings = page.locator("figure svg")
    # The real run has too few conversions to say where clicks convert.
    plots = 7 if "made" in page.url.split("/") else 6
    assert drawings.count() == plots
    names = set()
    for index in range(drawings.count()):
        drawing = drawings.nth(index)
        assert drawing.evaluate(MARKS) > 20
        assert drawing.get_attribute("role") == "img"
        names.add(drawing.get_attribute("aria-label"))
        box = drawing.bounding_box()
        assert box["width"] > 300
        assert box["height"] > 100
    assert len(names) == plots
    assert all(len(name) > 20 for name in names)
    accessible = page.locator("figure").get_by_role("img")
    assert accessible.count() == plots


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_ink_and_paper_stand_apart(page, scheme):
    page.emulate_media(color_scheme=scheme)
    ink, paper = page.evaluate(
        "() => { const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]; }"
    )
    # What is black in a drawing takes the colour of the text.
    drawn = page.evaluate("() => getComputedStyle(document.querySelector('figure svg text')).fill")
    assert drawn == ink
    assert contrast(ink, paper) > 7
    quiet = page.evaluate("() => getComputedStyle(document.querySelector('figcaption')).color")
    assert contrast(quiet, paper) > 4.5


def contrast(one, other):
    """Contrast of two colours as of WCAG 2: 1 for equal ones, 21 for black on white."""

    def luminance(color):
        parts = [int(part) / 255 for part in color[4:-1].split(",")]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_no_wider_than_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    wide, seen = page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= seen == width


def test_print_shows_all_of_a_table(page):
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 less its margins
    page.emulate_media(media="print", color_scheme="dark")
    paper = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    assert page.evaluate("() => getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 718
