"""The objective of scikit-learn's estimators."""

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb

from gbdt_pwiser.objectives import (
    InputError,
    PWiseRObjective,
    PWiseRSklearnObjective,
    make_dmatrix,
)
from tests.objectives.boosters import LGB, XGB


def sklearn_raw(model, features):
    if isinstance(model, xgb.XGBModel):
        return model.predict(features, output_margin=True)
    return model.predict(features, raw_score=True)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("estimator", "classifies", "options"),
    [
        (xgb.XGBClassifier, True, {"base_score": 0.25, **XGB}),
        (xgb.XGBRegressor, False, {"base_score": np.log(0.25 / 0.75), **XGB}),
        (lgb.LGBMClassifier, True, LGB),
        (lgb.LGBMModel, False, LGB),
    ],
)
def test_scikit_learn_estimators(data, estimator, classifies, options, weighted):
    weight = data.weight if weighted else None
    objective = PWiseRSklearnObjective(conversion=data.conversion if classifies else None, weight=0.1)
    model = estimator(objective=objective, n_estimators=5, learning_rate=0.3, **options)
    of_lightgbm = issubclass(estimator, lgb.LGBMModel)
    more = {"init_score": np.full(len(data.click), np.log(0.25 / 0.75))} if of_lightgbm else {}
    label = data.click.astype(int) if classifies else data.grade
    model.fit(data.features, label, sample_weight=weight, **more)
    if of_lightgbm:
        dtrain = lgb.Dataset(data.features, label=data.grade, weight=weight, **more)
        native = lgb.train({**LGB, "learning_rate": 0.3, "objective": PWiseRObjective(weight=0.1)}, dtrain, 5)
        expected = native.predict(data.features, raw_score=True)
    else:
        dtrain = make_dmatrix(data.features, data.click, data.conversion, sample_weight=weight)
        params = {**XGB, "learning_rate": 0.3, "objective": "binary:logistic", "base_score": 0.25}
        native = xgb.train(params, dtrain, 5, obj=PWiseRObjective(weight=0.1))
        expected = native.predict(dtrain, output_margin=True)
    np.testing.assert_allclose(sklearn_raw(model, data.features), expected, atol=1e-5)


def test_scikit_learn_objective_needs_the_conversions_of_the_fit(data):
    objective = PWiseRSklearnObjective(conversion=data.conversion)
    with pytest.raises(InputError, match="3000 conversions for a fit on 10 rows"):
        objective(np.zeros(10), np.zeros(10))
    assert repr(PWiseRSklearnObjective(weight=0.5)).startswith("PWiseRSklearnObjective(weight=0.5, ")
