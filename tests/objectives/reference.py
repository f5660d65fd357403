"""The loss by its definition: a double loop over pairs, in scalars. Slow, obvious, independent.

A click whose conversion is open (grade 3) is a click of BCE; it is neither an anchor (grade 2) nor an
opponent (grades 1 and 0).
"""

import math
from itertools import product

import numpy as np

from gbdt_pwiser.objectives import SURROGATES

PHI = {
    "hinge": (lambda u: max(u, 0.0), lambda u: float(u > 0), lambda u: 0.0),
    "squared_hinge": (lambda u: max(u, 0.0) ** 2, lambda u: 2.0 * max(u, 0.0), lambda u: 2.0 * (u > 0)),
    "logistic": (
        lambda u: max(u, 0.0) + math.log1p(math.exp(-abs(u))),
        lambda u: _sigmoid(u),
        lambda u: _sigmoid(u) * _sigmoid(-u),
    ),
}


def phi(surrogate):
    """Return phi, phi' and phi'' of a scalar, for a surrogate that is not written out here its own."""
    own = SURROGATES[surrogate]
    return PHI.get(surrogate) or tuple(
        lambda u, k=k: float(k(np.array([u]))[0]) for k in (own.value, own.first, own.second)
    )


def _sigmoid(x):
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def _scale(loss, z):
    """s, s' and s'' at each score."""
    if loss.scale == "logit":
        return np.array(z, float), np.ones(len(z)), np.zeros(len(z))
    p = np.array([_sigmoid(x) for x in z])
    q = np.array([_sigmoid(x) * _sigmoid(-x) for x in z])
    return p, q, q * (1 - 2 * p)


def pairs_of(loss, z, grade, group, weight):
    """Yield (i, j, u, share): anchor, opponent, argument of phi, and the pair's share in its mean."""
    s, _, _ = _scale(loss, z)
    for kind, margin in ((1, loss.click_margin), (0, loss.impression_margin)):
        term = [
            (i, j, margin - (s[i] - s[j]), weight[i] * weight[j])
            for i, j in product(np.flatnonzero(grade == 2), np.flatnonzero(grade == kind))
            if loss.pairs == "all" or group[i] == group[j]
        ]
        total = math.fsum(w for *_, w in term)
        if total > 0:
            yield from ((i, j, u, w / total) for i, j, u, w in term)


def value(loss, z, grade, *, group=None, sample_weight=None):
    w = np.ones(len(z)) if sample_weight is None else np.asarray(sample_weight, float)
    softplus = PHI["logistic"][0]
    bce = math.fsum(w[i] * (softplus(z[i]) - (grade[i] >= 1) * z[i]) for i in range(len(z))) / w.sum()
    of_pair = phi(loss.surrogate)[0]
    return bce + loss.weight * math.fsum(
        share * of_pair(u) for _, _, u, share in pairs_of(loss, z, grade, group, w)
    )


def gradient_and_hessian(loss, z, grade, *, group=None, sample_weight=None):
    """Gradient (n,) and full hessian (n, n) of n * L; (sum of weights) * L with sample weights."""
    n = len(z)
    w = np.ones(n) if sample_weight is None else np.asarray(sample_weight, float)
    _, ds, dds = _scale(loss, z)
    p = np.array([_sigmoid(x) for x in z])
    grad = w * (p - (grade >= 1))
    hessian = np.diag(w * np.array([_sigmoid(x) * _sigmoid(-x) for x in z]))
    _, first, second = phi(loss.surrogate)
    a = np.zeros(n)
    for i, j, u, share in pairs_of(loss, z, grade, group, w):
        a[i] -= share * first(u)
        a[j] += share * first(u)
        pull = ((i, -ds[i]), (j, ds[j]))
        for (row, up), (column, down) in product(pull, pull):
            hessian[row, column] += loss.weight * w.sum() * share * second(u) * up * down
    a *= loss.weight * w.sum()
    return grad + a * ds, hessian + np.diag(a * dds)
