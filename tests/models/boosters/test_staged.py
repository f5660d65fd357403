"""Raw scores after some rounds are those of a full prediction at each of them."""

import numpy as np
import pytest
from scipy.special import logit

from gbdt_pwiser.models import StagedModel, load_model, make_model, save_model
from gbdt_pwiser.models.boosters import trees
from gbdt_pwiser.objectives import InputError, PWiseRLoss, base_score
from tests.models.helpers import BOOSTERS, SPEC, fitted, renamed
from tests.specs import varied

LOSS = PWiseRLoss(weight=0.3)


@pytest.fixture(params=BOOSTERS)
def spec(request):
    return varied(SPEC, model=request.param, loss="pwiser", pwiser=LOSS, rounds=9, early_stopping=9)


def full(model, exposures, rounds):
    """Raw scores by one prediction with so many rounds, at least 1."""
    booster, features = model._click.booster, model._features(exposures.matrix())
    if model.spec.model == "lightgbm":
        return booster.predict(features, raw_score=True, num_iteration=rounds) + model._click.start
    return booster.inplace_predict(
        features, predict_type="margin", iteration_range=(0, rounds), validate_features=False
    )


def check(model, exposures, start):
    rounds = sorted({0, 1, 2, model.rounds_used // 2, model.rounds_used})
    told = 0
    for number, raw in model.raw_scores_at(exposures, rounds):
        expected = full(model, exposures, number) if number else np.full(len(exposures), logit(start))
        np.testing.assert_allclose(raw, expected, atol=2e-6)
        assert (raw.dtype, raw.shape) == (np.float64, (len(exposures),))
        assert number == rounds[told]
        told += 1
    assert told == len(rounds)
    np.testing.assert_allclose(raw, logit(model.predict(exposures).pctr), atol=1e-5)


@pytest.mark.parametrize("loss", ["bce", "pwiser", "weighted_bce"])
def test_they_are_those_of_a_full_prediction(spec, loss, split, monkeypatch):
    model = fitted(varied(spec, loss=loss, rival_weight=2.0), split)
    assert isinstance(model, StagedModel)
    weight = 1.0 + 2.0 * split.train.conversion if loss == "weighted_bce" else None
    start = base_score(split.train.click, sample_weight=weight)
    check(model, split.train, start)
    monkeypatch.setattr(trees, "BLOCK", 97)
    check(model, split.test, start)


@pytest.mark.filterwarnings("ignore:Early stopping is not available in dart mode")
@pytest.mark.parametrize("params", [{"boosting": "dart"}, {"booster": "dart"}, {"base_score": 0.4}], ids=str)
def test_whatever_the_parameters(params, split):
    library = "lightgbm" if "boosting" in params else "xgboost"
    model = fitted(varied(SPEC, model=library, rounds=6, early_stopping=6, params=params), split)
    check(model, split.train, params.get("base_score", split.train.click.mean()))


def test_a_model_that_was_read_has_them(spec, split, tmp_path):
    save_model(fitted(spec, split), tmp_path / "model", split)
    check(load_model(tmp_path / "model").model, split.test, split.train.click.mean())


def test_all_rounds_together_cost_one_prediction(spec, split, monkeypatch):
    model = fitted(spec, split)
    asked = []
    added = type(model)._added

    def counted(self, trained, features, first, last):
        asked.append((len(features), last - first))
        return added(self, trained, features, first, last)

    monkeypatch.setattr(type(model), "_added", counted)
    list(model.raw_scores_at(split.train, range(model.rounds_used + 1)))
    assert sum(rows * rounds for rows, rounds in asked) == len(split.train) * model.rounds_used


def test_what_is_refused(spec, split):
    model = make_model(spec)
    with pytest.raises(InputError, match="the model is not trained"):
        model.raw_scores_at(split.train, [0])
    model.fit(split.train, split.valid)
    with pytest.raises(InputError, match="has other feature columns than the training data"):
        model.raw_scores_at(renamed(split).train, [0])
    last = model.rounds_used
    for rounds in ([-1], [1, 1], [2, 1], [last + 1]):
        with pytest.raises(
            InputError, match=f"rounds are {rounds[0]}.*; give ascending ones from 0 to {last}"
        ):
            model.raw_scores_at(split.train, rounds)
    assert list(model.raw_scores_at(split.train, [])) == []


def test_the_scores_of_a_ranker_are_no_log_odds(split):
    for model, loss in (("lightgbm", "lambdarank"), ("xgboost", "rank_pairwise")):
        ranker = fitted(varied(SPEC, model=model, loss=loss, rounds=3), split)
        with pytest.raises(InputError, match=f"the scores of {loss} are no log-odds"):
            ranker.raw_scores_at(split.train, [0])
