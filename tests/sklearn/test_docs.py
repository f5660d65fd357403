"""What docs/guides/sklearn.md prints runs."""

import re
from pathlib import Path

import sklearn

DOCS = (Path(__file__).parents[2] / "docs" / "guides" / "sklearn.md").read_text(encoding="utf-8")


def test_the_code_runs():
    (block,) = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    names: dict = {}
    with sklearn.config_context():
        exec(compile(block, "docs/guides/sklearn.md", "exec"), names)
    assert abs(names["pctr"].mean() - names["click"].mean()) < 0.02
    assert names["calibrated"].predict_proba(names["X"]).shape == (1500, 2)
    assert names["search"].cv_results_["mean_test_score"].shape == (3,)
