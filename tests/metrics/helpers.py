"""Scores with ties, exposures of given grades, and AUC as its definition has it."""

import numpy as np
import polars as pl
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gbdt_pwiser.data import Exposures

F, T = False, True


SCORES = (-np.inf, -1.5, 0.0, 0.1, 0.3, 2.0, 1e30)
PROBABILITIES = (0.0, 1e-300, 0.2, 0.5, 0.999, 1.0)


def make_exposures(grade, *, group=None, noise_free_click=None):
    return Exposures(
        name="hand",
        features=pl.DataFrame({"x": np.zeros(len(grade), dtype=np.float32)}),
        grade=np.array(grade, dtype=np.int8),
        group=None if group is None else np.array(group, dtype=np.int64),
        noise_free_click=None if noise_free_click is None else np.array(noise_free_click),
    )


@st.composite
def scored(draw, *, values=SCORES):
    """Scores with many ties, of either float type, and labels of both classes."""
    n = draw(st.integers(2, 40))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    score = np.array(draw(st.lists(st.sampled_from(values), min_size=n, max_size=n)), dtype=dtype)
    positive = draw(hnp.arrays(np.bool_, n))
    positive[:2] = F, T
    return score, positive


def double_loop_auc(score, positive):
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in score[positive] for b in score[~positive]]
    return sum(wins) / len(wins)
