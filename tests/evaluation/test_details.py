"""The details of a comparison: what it notes in them, and the file they are kept in."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from gbdt_pwiser.evaluation import Details, compare, read_details, write_details
from gbdt_pwiser.evaluation.details import ReliabilityCurve, TrainingCurve, check_belongs
from gbdt_pwiser.metrics import ScoreDistribution
from gbdt_pwiser.metrics.distribution import EDGES
from gbdt_pwiser.objectives import InputError
from tests.evaluation.written import compared, ranked, shares
from tests.report.made import made


@pytest.fixture
def path(tmp_path):
    """A written file."""
    path = tmp_path / "details.json"
    write_details(made()[1], path)
    return path


def test_what_is_written_is_read(tmp_path):
    details = made()[1]
    details.sweep[0] = replace(details.sweep[0], ctcvr_auc=math.nan)
    details.activity[0] = replace(details.activity[0], click=(math.nan,) * len(details.activity[0].rounds))
    path = tmp_path / "new" / "details.json"
    write_details(details, path)
    found = read_details(path)
    counts = [[d.counts.tolist() for d in each.distributions] for each in (found, details)]
    assert counts[0] == counts[1]
    # repr, because a NaN does not equal itself
    assert repr(found) == repr(details)
    assert [p.name for p in path.parent.iterdir()] == ["details.json"]
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_a_file_of_an_older_version_has_no_published_figures_beside_it(path):
    stored = json.loads(path.read_text())
    assert stored.pop("released") is False
    path.write_text(json.dumps(stored))
    assert read_details(path).released is False
    assert len(read_details(path).sweep) == len(stored["sweep"])


def test_a_file_of_an_older_version_has_no_activity(path):
    stored = json.loads(path.read_text())
    assert stored.pop("activity")
    path.write_text(json.dumps(stored))
    assert read_details(path).activity == []
    assert len(read_details(path).curves) == len(stored["curves"])


def test_a_file_of_an_older_version_does_not_tell_where_clicks_convert(path):
    stored = json.loads(path.read_text())
    assert stored.pop("clicks")
    path.write_text(json.dumps(stored))
    assert read_details(path).clicks == []


def test_a_file_of_an_older_version_knows_no_conversion_auc(path):
    details = read_details(path)
    stored = json.loads(path.read_text())
    for point in stored["sweep"]:
        assert 0.7 < point.pop("conversion_auc") < 0.9
    path.write_text(json.dumps(stored))
    older = [replace(p, conversion_auc=math.nan) for p in details.sweep]
    assert repr(read_details(path).sweep) == repr(older)


def test_a_file_of_an_older_version_counts_no_open_clicks(path):
    stored = json.loads(path.read_text())
    for size in stored["sizes"]:
        assert size.pop("open") == 0
    path.write_text(json.dumps(stored))
    assert [size.open for size in read_details(path).sizes] == [0] * len(stored["sizes"])


def test_nothing_is_written_and_read(tmp_path):
    write_details(Details(), tmp_path / "details.json")
    assert read_details(tmp_path / "details.json") == Details()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(format=2), "it has format 2, this version reads 1"),
        (lambda d: d.pop("format"), "it has format None, this version reads 1"),
        (lambda d: d.pop("sweep"), "it has the fields command, .* and not command, .*sweep"),
        (lambda d: d.update(more=1), "more and not command"),
        (lambda d: d["sweep"][0].pop("weight"), "it has the fields model"),
        (lambda d: d["sweep"][0].update(ctr_auc="0.7"), "'0.7' is no float"),
        (lambda d: d["sweep"][0].update(seed="3"), "'3' is no int"),
        (lambda d: d.update(sweep=3), "not iterable"),
        (lambda d: d["sweep"].insert(0, 3), "not iterable"),
        (lambda d: d["clicks"][0]["conversions"].pop(), "differ in length"),
        (lambda d: d["clicks"][0]["clicks"].__setitem__(9, 1), "conversions of 1 clicks"),
        (lambda d: d["curves"][0].update(best=99), "best is 99; give one of the 20 rounds"),
        (lambda d: d["reliability"][0]["observed"].pop(), "differ in length"),
        (lambda d: d["activity"][0]["click"].pop(), "rounds, click and impression differ in length"),
        (lambda d: d["activity"][0]["rounds"].__setitem__(0, 0.5), "0.5 is no int"),
        (lambda d: d["reliability"][0].update(split="train"), "unknown split 'train'; choose one of test, "),
        (lambda d: d.update(choose_by="pcoc"), "cannot choose by 'pcoc'"),
        (lambda d: d["distributions"][0]["counts"].pop(), r"counts have shape \(2, 560\)"),
    ],
)
def test_another_form_is_refused(path, change, says):
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))
    with pytest.raises(InputError, match=rf"details\.json holds no details .*{says}.*remove the file"):
        read_details(path)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_text(path.read_text()[:-100]), "line 1"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "decode"),
        (lambda path: path.write_text("[]"), "holds no details"),
    ],
)
def test_a_damaged_file_is_refused(path, damage, says):
    damage(path)
    with pytest.raises(InputError, match=says):
        read_details(path)


def test_details_of_another_run_are_refused():
    results, details = made()
    check_belongs(details, results)
    check_belongs(Details(), results)
    other = [replace(r, value=r.value + 1e-9) for r in results]
    for wrong in (other, [r for r in results if r.model != "xgboost"], []):
        with pytest.raises(InputError, match="are of another run than the results, which lack"):
            check_belongs(details, wrong)
    details.curves.append(TrainingCurve("dnn", "bce", 0.0, 0, ()))
    with pytest.raises(
        InputError, match="are of another run than the results, which lack dnn bce; give both"
    ):
        check_belongs(details, results)


def test_fields_are_checked():
    with pytest.raises(InputError, match="best is 2; give one of the 1 rounds"):
        TrainingCurve("m", "bce", 0.0, 2, (0.7,))
    with pytest.raises(InputError, match="differ in length"):
        ReliabilityCurve("m", "bce", "test", (0.1,), (), (1,))
    with pytest.raises(InputError, match=r"counts have shape \(3, 4\); give \(3, 560\)"):
        ScoreDistribution("m", "bce", np.zeros((3, 4), np.int64))


# ------------------------------------------------------------------------------ distributions


def test_a_distribution_counts_each_exposure_once():
    p = np.array([0.0, 0.5, 0.5, 1.0, 1e-12, 0.1], dtype=np.float32)
    counts = ScoreDistribution.from_scores("m", "bce", p, np.array([0, 0, 1, 2, 2, 1], np.int8)).counts
    assert counts.sum(axis=1).tolist() == [2, 2, 2]
    at = np.searchsorted(EDGES, math.log(0.1 / 0.9)) - 1
    middle = len(EDGES) // 2
    assert [np.flatnonzero(row).tolist() for row in counts] == [
        [0, middle],
        [at, middle],
        [0, len(EDGES) - 2],
    ]


@pytest.mark.parametrize(
    ("pctr", "grade", "says"),
    [
        ([0.1], [0, 1], r"pctr has shape \(1,\), grade \(2,\)"),
        ([math.nan], [0], "NaN or outside"),
        ([1.1], [0], "NaN or outside"),
        ([0.1], [4], "grade has values outside 0, 1, 2, 3"),
    ],
)
def test_a_distribution_refuses_what_is_no_score(pctr, grade, says):
    with pytest.raises(InputError, match=says):
        ScoreDistribution.from_scores("m", "bce", np.array(pctr), np.array(grade, np.int8))


# ------------------------------------------------------------------------------ what a comparison notes


def test_every_candidate_is_told_by_what_validation_says_of_it(dataset, written):
    best = {0: 0.1, 1: 1.0}

    def answer(spec, part, exposures):
        return ranked(exposures, {"valid": 0.8 if spec.weight == best[spec.seed] else 0.2, "test": 0.5}[part])

    written(answer)
    details = Details()
    results = compared(dataset, seeds=[0, 1], details=details, choose_by="gauc")
    assert details.choose_by == "gauc"
    assert [(p.model, p.loss, p.seed, p.weight) for p in details.sweep] == [
        ("a", loss, seed, weight)
        for seed in (0, 1)
        for loss, weight in (("bce", 0.0), ("pwiser", 0.01), ("pwiser", 0.1), ("pwiser", 1.0))
    ]
    for p in details.sweep:
        if p.loss == "pwiser":
            assert p.chosen == (p.weight == best[p.seed])
            assert p.ctr_auc == pytest.approx(0.9 if p.chosen else 0.6, abs=2e-3)
    check_belongs(details, results)


def test_curves_are_of_the_first_seed_and_of_test(dataset, written):
    written(shares({0.0: (0.5, 0.5), 0.01: (0.1, 0.1), 0.1: (0.9, 0.3), 1.0: (0.5, 0.5)}))
    details = Details()
    compared(dataset, models=["a", "b"], seeds=[3, 5], calibrate="sigmoid", details=details)
    split = dataset.split(3)
    trained = [(model, loss) for model in ("a", "b") for loss in ("bce", "pwiser")]
    assert [(s.split, s.exposures, s.clicks) for s in details.sizes] == [
        (name, len(part), part.click.sum())
        for name, part in (("train", split.train), ("valid", split.valid), ("test", split.test))
    ]
    assert [(c.model, c.loss, c.weight) for c in details.curves] == [
        (*key, 0.1 * (key[1] == "pwiser")) for key in trained
    ]
    for curve in details.curves:
        assert (curve.best, curve.ctr_auc) == (7, tuple(0.5 + 0.01 * number for number in range(10)))
    assert [(d.model, d.loss) for d in details.distributions] == trained
    assert [(c.model, c.loss, c.split) for c in details.reliability] == [
        (*key, part) for key in trained for part in ("test", "test_sigmoid")
    ]
    plain, calibrated = details.reliability[2:4]
    for counts in (plain.exposures, calibrated.exposures):
        assert sum(counts) == len(split.test)
    assert plain.predicted == pytest.approx((0.1, 0.3))  # 30 % of the clicks, and nothing else, at .3
    high = round(0.3 * split.test.click.sum())
    low = len(split.test) - high
    assert plain.exposures == (low, high)
    assert plain.observed == pytest.approx(((split.test.click.sum() - high) / low, 1.0))
    assert calibrated.predicted != plain.predicted
    assert [(t.model, t.loss) for t in details.clicks] == [("a", "bce"), ("b", "bce")]
    # bce gives all clicks of validation one of two pCTR, half of them each.
    clicks = split.valid.click.sum()
    assert details.clicks[0].clicks == (clicks - round(clicks / 2), round(clicks / 2))
    assert sum(details.clicks[0].conversions) == split.valid.conversion.sum()
    for row, part in zip(details.distributions[0].counts, np.bincount(split.test.grade), strict=True):
        assert row.sum() == part


@pytest.mark.parametrize("released", [False, True])
def test_details_know_whether_figures_are_published_on_the_data(dataset, written, released):
    written(lambda spec, part, exposures: ranked(exposures, 0.5))
    details = Details()
    compare(replace(dataset, released=released), models=["a"], losses=["bce"], seeds=[0], details=details)
    assert details.released == released
