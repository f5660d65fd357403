"""The page of a look at a data set."""

import csv
import io
import math
import re
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import pytest

from gbdt_pwiser.data import Dataset, SplitOptions
from gbdt_pwiser.evaluation.check import check
from gbdt_pwiser.report.check import check_lines
from gbdt_pwiser.report.check_page import check_answer, write_check_report
from tests.evaluation.test_check import made
from tests.report.page import Page, flat


@pytest.fixture(scope="module")
def found():
    return check(Dataset(made(), SplitOptions("time")))


def test_the_answer(found):
    test = found.parts[-1]
    assert check_answer(found) == (
        f"The test part of made (600 exposures, {test.clicks} clicks and {test.conversions} conversions) can "
        f"show a gain of {f'{found.ctr_auc:.4f}'[1:]} in CTR AUC and {f'{found.conversion_auc:.4f}'[1:]} in "
        "conversion AUC, with a power of 80 %."
    )
    clicks_alone = check_answer(replace(found, conversion_auc=math.nan))
    assert clicks_alone.endswith(f"a gain of {f'{found.ctr_auc:.4f}'[1:]} in CTR AUC, with a power of 80 %.")
    nothing = check_answer(replace(found, ctr_auc=math.nan, conversion_auc=math.nan))
    assert nothing.startswith("The test part of made can show no gain: it has 600 exposures, ")
    refused = check_answer(check(Dataset(made().take(np.arange(12)))))
    assert refused.startswith("made cannot be split into train, validation and test: ")


def test_the_page_holds_all_of_the_screen(found, tmp_path):
    write_check_report(tmp_path / "check.html", found, command="gbdt-pwiser check <made>")
    text = (tmp_path / "check.html").read_text(encoding="utf-8")
    page = Page(text)
    assert [path.name for path in tmp_path.iterdir()] == ["check.html"]
    assert "<title>What made can show</title>" in text
    assert "gbdt-pwiser check &lt;made&gt;" in text
    assert "<h2>How this was made</h2>" in text  # by which the command knows its own files
    for line in check_lines(found):
        name, told = line.split(": ", 1)
        assert f"<dt>{name}</dt><dd>{told}</dd>" in flat(text)
    for part in found.parts:
        assert re.search(rf'<th scope="row">{part.name}</th>\s*<td class="number">{part.rows:,}</td>', text)
    (svg,) = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert svg["aria-label"].startswith("Clicks per exposure by tenth of the range of time: ")
    held = unquote(re.search(r'download="drift.csv" href="data:[^,]*,([^"]*)"', text)[1])
    rows = list(csv.DictReader(io.StringIO(held)))
    assert [int(row["exposures"]) for row in rows] == list(found.drift.rows)
    assert [int(row["clicks"]) for row in rows] == list(found.drift.events)
    assert [float(row["rate"]) for row in rows] == list(found.drift.rates)


def test_without_a_time_there_is_no_plot(tmp_path):
    write_check_report(tmp_path / "check.html", check(Dataset(replace(made(), time=None))), command="")
    text = (tmp_path / "check.html").read_text(encoding="utf-8")
    Page(text)
    assert "<svg" not in text
    assert "<pre" not in text


def test_the_command_writes_it_over_its_own_pages_only(run, tmp_path):
    page = tmp_path / "out" / "check.html"
    code, told, err = run("check", "simulated", "--page", page)
    assert (code, err) == (0, f"{page}\n")
    assert told.startswith("simulated: ")
    assert run("check", "simulated", "--page", page)[0] == 0
    page.write_text("my own")
    code, out, err = run("check", "simulated", "--page", page)
    assert (code, out) == (2, "")
    assert "check.html exists and was not written by gbdt-pwiser" in err
    assert page.read_text() == "my own"
