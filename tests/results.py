"""A table of results that can be worked out by head."""

import pytest

from gbdt_pwiser.evaluation import Result

# CTR AUC and PCOC of two losses over three seeds, chosen so that means and errors come out by head.
VALUES = {
    ("bce", "ctr_auc"): (0.70, 0.72, 0.74),
    ("pwiser", "ctr_auc"): (0.70, 0.74, 0.78),
    ("bce", "pcoc"): (1.0, 1.0, 1.0),
    ("pwiser", "pcoc"): (1.1, 1.1, 1.1),
    ("bce", "gauc_left_out"): (0.2, 0.3, 0.4),
    ("pwiser", "gauc_left_out"): (0.2, 0.3, 0.4),
}


@pytest.fixture
def results():
    return [
        Result(
            dataset="hand",
            model="lightgbm",
            loss=loss,
            seed=seed,
            split=split,
            metric=metric,
            value=value if split == "test" else 0.0,
            weight=0.0 if loss == "bce" else 0.01 * (seed + 1),
            rounds=100 + seed,
            size=130 + seed,
            fit_seconds=2.0,
            predict_seconds=0.5,
            versions="gbdt-pwiser 0.1.0",
        )
        for (loss, metric), values in VALUES.items()
        for seed, value in enumerate(values)
        for split in ("valid", "test")
    ]
