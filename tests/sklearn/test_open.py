"""NaN for a conversion that is open: a click, in no pair, and no row of the metric of conversions."""

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb

from gbdt_pwiser.objectives import (
    InputError,
    PWiseRObjective,
    auc,
    make_dataset,
    make_dmatrix,
    xgboost_params,
)
from tests.sklearn.conftest import raw_scores

NAN = float("nan")


def opened(data):
    """Conversions with a third of the clicks open; without a click NaN is 0."""
    rows = np.random.default_rng(2).random(len(data.click)) < 1 / 3
    return np.where(rows, NAN, data.conversion)


def test_trees_are_those_of_the_native_training(kind, data):
    known = opened(data)
    settings = {name: value for name, value in kind.settings.items() if name != "n_estimators"}
    objective = PWiseRObjective(weight=0.3)
    if kind.name == "lightgbm":
        dataset = make_dataset(data.features, data.click, known)
        booster = lgb.train({**settings, "objective": objective}, dataset, 6)
        raw = booster.predict(data.features, raw_score=True) + dataset.get_init_score()[0]
    else:
        settings["nthread"] = settings.pop("n_jobs")
        dmatrix = make_dmatrix(data.features, data.click, known)
        booster = xgb.train(settings | xgboost_params(data.click), dmatrix, 6, obj=objective)
        raw = booster.predict(dmatrix, output_margin=True)
    model = kind.ours(pwiser_weight=0.3).fit(data.features, data.click, conversion=known)
    np.testing.assert_allclose(raw_scores(model, data.features), raw, atol=1e-5, rtol=0)
    as_none = kind.ours(pwiser_weight=0.3).fit(data.features, data.click, conversion=np.nan_to_num(known))
    assert (raw_scores(as_none, data.features) != raw_scores(model, data.features)).any()


def test_without_weight_it_is_the_plain_classifier(kind, data):
    ours = kind.ours(pwiser_weight=0).fit(data.features, data.click, conversion=opened(data))
    plain = kind.plain().fit(data.features, data.click)
    np.testing.assert_array_equal(raw_scores(ours, data.features), raw_scores(plain, data.features))


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
def test_the_metric_of_conversions_leaves_them_out(kind, data):
    known = opened(data)
    weight = np.random.default_rng(3).uniform(0.1, 5, len(known))
    model = kind.ours(pwiser_weight=0.1)
    of_library = "eval_sample_weight" if kind.name == "lightgbm" else "sample_weight_eval_set"
    model.fit(
        data.features,
        data.click,
        conversion=known,
        eval_set=[(data.features.copy(), data.click)],  # of training's own LightGBM ignores the weights
        eval_conversion=[known],
        **{of_library: [weight]},
        **({"verbose": False} if kind.name == "xgboost" else {}),
    )
    told = model.evals_result_ if kind.name == "lightgbm" else model.evals_result()
    (values,) = (metrics["auc_conversion"] for metrics in told.values())
    decided = ~(np.isnan(known) & (data.click == 1))
    score, converted = model.predict_proba(data.features)[decided, 1], data.conversion[decided]
    expected = auc(score, converted, sample_weight=weight[decided])
    assert values[-1] == pytest.approx(expected, abs=1e-6)


def test_all_open_is_bce_with_a_warning(kind, data):
    with pytest.warns(UserWarning, match="no row is a conversion"):
        kind.ours().fit(data.features, data.click, conversion=np.full(len(data.click), NAN))
    with pytest.raises(InputError, match=r"conversion is 5\.0 in row 0 .*or NaN"):
        kind.ours().fit(
            data.features,
            data.click,
            conversion=data.conversion,
            eval_set=[(data.features, data.click)],
            eval_conversion=[np.full(len(data.click), 5.0)],
        )
