"""Losses of every kind with drawn exposures, and what their results may differ from the definition by."""

from itertools import product

import numpy as np
from hypothesis import strategies as st

from gbdt_pwiser.objectives import SURROGATES, InputError, PWiseRLoss, grid_error_bound
from tests.objectives.libraries import as_numpy, asarray


def accepted(surrogate, scale):
    """Return whether a loss takes them: no surrogate that grows too fast takes the logit scale."""
    try:
        PWiseRLoss(surrogate=surrogate, scale=scale)
    except InputError:
        return False
    return True


SURROGATES_AND_SCALES = [pair for pair in product(SURROGATES, ("probability", "logit")) if accepted(*pair)]
KINDS = [
    (*pair, *more)
    for pair, more in product(SURROGATES_AND_SCALES, product(("all", "group"), ("unweighted", "weighted")))
]
EXACT = [kind for kind in KINDS if SURROGATES[kind[0]].degree]

scores = st.one_of(
    st.floats(-5, 5),
    st.floats(-50, 50),
    st.sampled_from([-50.0, -1.0, 0.0, 0.25, 50.0]),  # ties
)
rows = st.lists(
    st.tuples(
        scores, st.sampled_from([0, 0, 1, 2, 3]), st.integers(0, 2), st.sampled_from([0.0, 0.5, 1.0, 3.0])
    ),
    min_size=1,
    max_size=14,
).filter(lambda drawn: any(weight for *_, weight in drawn))


def case(kind, data, weight=2.0):
    """A loss and its arguments, from a kind and drawn rows."""
    surrogate, scale, pairs, weighting = kind
    loss = PWiseRLoss(
        weight=weight, surrogate=surrogate, scale=scale, pairs=pairs, click_margin=0.15, impression_margin=0.4
    )
    z, grade, group, w = (np.array(column) for column in zip(*data, strict=True))
    return loss, z, grade, {"group": group, "sample_weight": w if weighting == "weighted" else None}


def run(library, call, loss, z, grade, **extra):
    """Call the loss with scores of a library; return NumPy arrays; insist on the library's own."""
    raw = asarray(library, z)
    result = getattr(loss, call)(raw, grade, **extra)
    if call == "value":
        return result
    for array in result:
        assert type(array) is type(raw)
        assert array.dtype == raw.dtype
    return tuple(as_numpy(array) for array in result)


def tolerance(loss, z, of):
    """What the grid of a smooth surrogate may add to 1e-9; its bounds are on one side's mean."""
    low, high = (0.0, 1.4) if loss.scale == "probability" else (z.min(), z.max() + 0.4)
    return 1e-9 + 2 * loss.weight * grid_error_bound(SURROGATES[loss.surrogate], low, high)[of]
