"""Rows on several workers give the gradient of all rows on one, whichever worker holds what."""

import threading

import numpy as np
import pytest

from gbdt_pwiser.objectives import PWiseRLoss
from tests.objectives.cases import SURROGATES_AND_SCALES


class Threads:
    """Workers that are threads of one process."""

    class Peer:
        def __init__(self, group, rank):
            self.group, self.rank, self.size = group, rank, group.size

        def sum(self, values):
            return self.group.sum(self.rank, values)

    def __init__(self, size):
        self.size, self.barrier, self.slots = size, threading.Barrier(size, timeout=20), [None] * size

    def sum(self, rank, values):
        self.slots[rank] = np.array(values, dtype=np.float64)
        self.barrier.wait()
        total = sum(self.slots)
        self.barrier.wait()
        return total

    def run(self, work):
        """Call work(rank, peer) in every worker; return what they return, in their order."""
        found, errors = [None] * self.size, []

        def call(rank):
            try:
                found[rank] = work(rank, self.Peer(self, rank))
            except Exception as error:
                errors.append(error)
                self.barrier.abort()

        workers = [threading.Thread(target=call, args=(rank,)) for rank in range(self.size)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if errors:
            raise errors[0]
        return found


def exposures(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    grade = rng.choice(3, n, p=[0.85, 0.1, 0.05]).astype(np.int8)
    return rng.normal(-2, 1.5, n), grade, np.arange(n) // 10, rng.random(n)


# Which worker each of the 3,000 rows lies with; groups of ten rows are never split.
def shares(name, grade):
    group = np.arange(len(grade)) // 10
    match name:
        case "even":
            return group % 3
        case "one worker has no rows":
            return group % 2
        case "one worker has no anchor":
            without = np.array([not (grade[group == g] == 2).any() for g in range(group[-1] + 1)])
            return np.where(without[group] & (group % 2 == 0), 2, group % 2)
        case "one worker has nothing but unclicked rows":
            without = np.array([not (grade[group == g] > 0).any() for g in range(group[-1] + 1)])
            return np.where(without[group], 2, group % 2)


SHARES = [
    "even",
    "one worker has no rows",
    "one worker has no anchor",
    "one worker has nothing but unclicked rows",
]


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("pairs", ["all", "group"])
@pytest.mark.parametrize(("surrogate", "scale"), SURROGATES_AND_SCALES)
def test_three_workers_are_one(surrogate, scale, pairs, weighted, share):
    z, grade, group, w = exposures()
    loss = PWiseRLoss(weight=1.0, surrogate=surrogate, scale=scale, pairs=pairs)
    worker = shares(share, grade)
    extra = {"sample_weight": w} if weighted else {}
    expected = loss.gradient_hessian(z, grade, group=group, **extra)

    def work(rank, peer):
        mine = worker == rank
        part = {name: values[mine] for name, values in extra.items()}
        plan = loss.plan(grade[mine], group=group[mine], peers=peer, **part)
        return loss.gradient_hessian(z[mine], plan)

    got = Threads(3).run(work)
    for k in range(2):
        whole = np.empty(len(z))
        for rank in range(3):
            whole[worker == rank] = got[rank][k]
        # The grid of a smooth surrogate begins and ends where the scores do, so it is the same.
        np.testing.assert_allclose(whole, expected[k], rtol=1e-9, atol=1e-9)


def test_no_anchor_anywhere_is_bce():
    z, grade, *_ = exposures(300)
    grade = np.minimum(grade, 1)
    loss = PWiseRLoss(weight=5.0)

    def work(rank, peer):
        plan = loss.plan(grade[rank::2], peers=peer)
        return loss.gradient_hessian(z[rank::2], plan)[0]

    got = Threads(2).run(work)
    expected = PWiseRLoss(weight=0).gradient_hessian(z, grade)[0]
    for rank in range(2):
        np.testing.assert_array_equal(got[rank], expected[rank::2])


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("pairs", ["all", "group"])
def test_every_worker_knows_the_activity_of_the_whole(pairs, weighted, share):
    z, grade, group, w = exposures()
    loss = PWiseRLoss(pairs=pairs)
    worker = shares(share, grade)
    extra = {"sample_weight": w} if weighted else {}
    expected = loss.pair_activity(z, grade, group=group, **extra)
    assert 0 < min(expected) < max(expected) < 1

    def work(rank, peer):
        mine = worker == rank
        part = {name: values[mine] for name, values in extra.items()}
        return loss.pair_activity(z[mine], loss.plan(grade[mine], group=group[mine], peers=peer, **part))

    got = Threads(3).run(work)
    assert got[0] == got[1] == got[2]
    assert got[0] == (pytest.approx(expected, rel=1e-12) if weighted else expected)


@pytest.mark.parametrize("pairs", ["all", "group"])
def test_without_pairs_anywhere_no_worker_has_an_activity(pairs):
    grade = np.array([0, 1, 0, 1])

    def work(rank, peer):
        loss = PWiseRLoss(pairs=pairs)
        plan = loss.plan(grade[rank::2], group=np.full(2, rank), peers=peer)
        return loss.pair_activity(np.zeros(2), plan)

    assert np.isnan(Threads(2).run(work)).all()


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("pairs", ["all", "group"])
def test_every_worker_knows_the_equivalent_weight_of_the_whole(pairs, weighted, share):
    z, grade, group, w = exposures()
    loss = PWiseRLoss(weight=0.5, pairs=pairs)
    worker = shares(share, grade)
    extra = {"group": group, "sample_weight": w} if weighted else {"group": group}
    expected = loss.equivalent_weight(z, grade, **extra)
    assert expected > 0.1

    def work(rank, peer):
        mine = worker == rank
        plan = loss.plan(grade[mine], peers=peer, **{name: values[mine] for name, values in extra.items()})
        return loss.equivalent_weight(z[mine], plan)

    got = Threads(3).run(work)
    assert got[0] == got[1] == got[2] == pytest.approx(expected, rel=1e-9)
