"""Ali-CCP as released, line by line: values, and what is wrong with a damaged one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdt_pwiser.sources._ali_ccp_lines import FeatureLines, Field
from gbdt_pwiser.sources.ali_ccp import COMMON, SKELETON
from tests.sources.ali_ccp import INDEX_B
from tests.sources.helpers import shared_data


def test_real_lines_parse_to_their_values() -> None:
    lines = shared_data("ali_ccp", "sample_skeleton_train.reconstructed.csv").read_bytes()
    rows = SKELETON.parse(lines)
    assert rows is not None
    assert rows["index"].to_list() == [0xBACFF91692951881] * 2
    assert rows.select("205", "206", "207", "216", "301").rows() == [
        (4186222, 8316799, 8416205, 9154780, 9351665),
        (4186855, 8316676, 8482726, 9188757, 9351665),
    ]
    assert rows["210"].to_list() == [9052218, 9046284]
    assert rows["210_count"].to_list() == [3, 5]
    assert rows["508"].to_list() == [9355039, None]
    assert rows["508_sum"].to_list() == pytest.approx([0.69315, 0])
    common = COMMON.parse(shared_data("ali_ccp", "common_features_train.reduced.csv").read_bytes())
    assert common is not None
    assert common.select("101", "121", "122", "124", "125", "126", "127", "128", "129").row(0) == (
        31390, 3438658, 3438762, 3438769, 3438774, None, 3438782, 3864885, 3864887,
    )  # fmt: skip
    assert common["109_14_count"].to_list() == [0]


FORM = FeatureLines(
    ("sample", "click", "index", "count"), ("click",), (Field("1", True, True), Field("2_14"))
)
GOOD = f"5,1,{INDEX_B},2,1\x0210\x030.5\x012_14\x0211\x031.0"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (GOOD.replace(",2,", ",3,"), "2 features instead of 3"),
        (GOOD.replace(",2,", ",1,"), "2 features instead of 1"),
        (GOOD.replace(",2,", ",0,"), "count (field 4) is '0', not how many features follow"),
        (GOOD.replace(",2,", ",-2,"), "count (field 4) is '-2'"),
        (GOOD.replace(",2,", ",,"), "count (field 4) is ''"),
        (GOOD.replace(",1,", ",2,"), "click (field 2) is '2', not 0 or 1"),
        (
            GOOD.replace("ba", "xa"),
            "the feature index (field 3) is 'xacff91692951881', not 16 hex characters",
        ),
        (GOOD.replace("ba", ""), "not 16 hex characters"),
        (GOOD.replace("5,1", "5"), "4 fields instead of 5"),
        (GOOD + ",", "6 fields instead of 5"),
        (GOOD.split("\x01")[0][:-5], r"feature 1 is '1\x021': the byte 0x03 before its value is missing"),
        (GOOD.replace("\x02", "", 1), r"feature 1 is '110\x030.5': the byte 0x02 before its id is missing"),
        (GOOD.replace("\x03", "", 1), "the byte 0x03 before its value is missing"),
        (
            GOOD.replace("\x01", ""),
            r"feature 1 is '1\x0210\x030.52_14\x0211\x031.0': the value is not a finite",
        ),
        (GOOD.replace("\x01", "\x01\x01"), "feature 2 is '': the byte 0x02"),
        (GOOD.replace("2_14", "3_14"), r"feature 2 is '3_14\x0211\x031.0': '3_14' is no field of this file"),
        (GOOD.replace("2_14", "#"), "'#' is no field"),
        (GOOD.replace("10", "-1"), "the id is not a whole number from 0"),
        (GOOD.replace("10", "1.5"), "the id is not"),
        (GOOD.replace("10", str(2**32)), "the id is not"),
        (GOOD.replace("0.5", "nan"), "the value is not a finite number"),
        (GOOD.replace("0.5", "1e39"), "the value is not"),
        (GOOD.replace("0.5", ""), "the value is not"),
        ("", "1 fields instead of 5"),
    ],
)
def test_damaged_lines_are_found_by_both_ways(line: str, fault: str) -> None:
    assert FORM.fault(GOOD) is None
    assert fault in (FORM.fault(line) or "")
    for lines in ([line, GOOD], [GOOD, line, GOOD], [GOOD, line]):
        assert FORM.parse("".join(f"{text}\n" for text in lines).encode()) is None


def test_a_good_line_without_its_newline_and_with_a_carriage_return() -> None:
    for lines in (GOOD, f"{GOOD}\n", f"{GOOD}\r\n"):
        rows = FORM.parse(lines.encode())
        assert rows is not None
        assert rows.row(0) == (1, 0xBACFF91692951881, 10, 1.0, 0.5, 11)


@given(st.integers(0, len(GOOD) - 1), st.sampled_from("\x00\x01\x02\x03,.\n#-_19a"))
def test_the_fast_way_takes_only_what_the_slow_way_takes(place: int, byte: str) -> None:
    text = GOOD[:place] + byte + GOOD[place + 1 :]
    rows = FORM.parse(f"{GOOD}\n{text}\n{GOOD}\n".encode())
    faults = [FORM.fault(line) for line in text.split("\n")]
    assert (rows is None) == any(faults)
