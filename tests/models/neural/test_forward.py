"""Each architecture beside its formula in NumPy, on tiny weights, and the loss of its second head."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from gbdt_pwiser.models.neural._blocks import Outputs  # noqa: E402
from gbdt_pwiser.models.neural._features import Layout  # noqa: E402
from gbdt_pwiser.models.neural._model import architecture  # noqa: E402
from gbdt_pwiser.models.neural.dnn import DNN  # noqa: E402
from tests.models.neural.helpers import MULTI, TINY, sigmoid, write_weights  # noqa: E402

LAYOUT = Layout(table=6, codes=2, numbers=2)
CODES = np.array([[1, 3], [2, 5], [0, 4], [2, 0]])
NUMBERS = np.array([[0.3, -1.2], [0.0, 0.0], [-2.0, 0.5], [1.0, 1.0]])
GRADE = np.array([2, 1, 0, 2])


class Weights:
    """The formulas' pieces, over weights by name."""

    def __init__(self, network):
        self.of = {name: tensor.numpy() for name, tensor in network.state_dict().items()}

    def embedded(self):
        return np.hstack([self.of["embedding.table.weight"][CODES].reshape(4, -1), NUMBERS])

    def linear(self, name, x):
        return x @ self.of[f"{name}.weight"].T + self.of[f"{name}.bias"]

    def layers(self, name, x):
        """relu(batch_norm(W x + b)) for each layer; four modules make one."""
        for k in range(0, 40, 4):
            norm = f"{name}.{k + 1}"
            if f"{norm}.running_mean" in self.of:
                z = self.linear(f"{name}.{k}", x) - self.of[f"{norm}.running_mean"]
                z = z / np.sqrt(self.of[f"{norm}.running_var"] + 1e-5)
                x = np.maximum(z * self.of[f"{norm}.weight"] + self.of[f"{norm}.bias"], 0)
        return x

    def tower(self, name, x):
        return self.linear(f"{name}.output", self.layers(f"{name}.layers", x))[:, 0]

    def mixed(self, name, x, experts):
        shares = softmax(x @ self.of[f"{name}.weights.weight"].T)
        return sum(shares[:, [k]] * expert for k, expert in enumerate(experts))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


def dnn(w, x):
    return w.tower("tower", x)


def shared_bottom(w, x):
    bottom = w.layers("bottom", x)
    return w.tower("click", bottom), w.tower("conversion", bottom)


def mmoe(w, x):
    experts = [w.layers(f"experts.{k}", x) for k in range(2)]
    return tuple(w.tower(task, w.mixed(f"{task}_gate", x, experts)) for task in ("click", "conversion"))


def ple(w, x):
    click = conversion = shared = x
    for level in ("levels.0", "levels.1"):
        a = w.layers(f"{level}.click.0", click)
        b = w.layers(f"{level}.conversion.0", conversion)
        c = w.layers(f"{level}.shared.0", shared)
        click, conversion, shared = (
            w.mixed(f"{level}.click_gate", click, [a, c]),
            w.mixed(f"{level}.conversion_gate", conversion, [b, c]),
            w.mixed(f"{level}.shared_gate", shared, [a, b, c]) if level == "levels.0" else None,
        )
    return w.tower("click", click), w.tower("conversion", conversion)


def esmm(w, x):
    return w.tower("click", x), w.tower("conversion", x)


def aitm(w, x):
    q1, q2 = w.layers("click_bottom", x), w.layers("conversion_bottom", x)
    p = w.linear("passed", q1)
    weight = [
        (w.linear("transfer.key", u) * w.linear("transfer.query", u)).sum(axis=1) / np.sqrt(4)
        for u in (p, q2)
    ]
    share = softmax(np.stack(weight, axis=1))
    z = share[:, [0]] * w.linear("transfer.value", p) + share[:, [1]] * w.linear("transfer.value", q2)
    return w.tower("click", q1), w.tower("conversion", z)


FORMULAS = {
    "shared_bottom": shared_bottom,
    "mmoe": mmoe,
    "ple": ple,
    "esmm": esmm,
    "aitm": aitm,
}


def outputs_of(network):
    write_weights(network.double().eval())
    return network(torch.tensor(CODES, dtype=torch.int32), torch.tensor(NUMBERS))


def test_dnn():
    network = DNN(LAYOUT, TINY)
    logit = outputs_of(network).detach().numpy()
    w = Weights(network)
    np.testing.assert_allclose(logit, dnn(w, w.embedded()), rtol=1e-12)
    assert logit.std() > 1e-3  # not all cut off by a ReLU


@pytest.mark.parametrize("name", MULTI)
def test_two_heads(name):
    network = architecture(name)(LAYOUT, TINY)
    outputs = outputs_of(network)
    w = Weights(network)
    for ours, formula in zip(outputs, FORMULAS[name](w, w.embedded()), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), formula, rtol=1e-12)
        assert formula.std() > 1e-3


def test_every_weight_has_a_say():
    """None is built and then left out of the forward pass."""
    for name in MULTI:
        network = architecture(name)(LAYOUT, TINY)
        outputs = outputs_of(network)
        (outputs.click.sum() + outputs.conversion.sum()).backward()
        without = [key for key, weight in network.named_parameters() if weight.grad is None]
        assert without == [], name


@pytest.mark.parametrize("weight", [1.0, 0.25])
@pytest.mark.parametrize("name", MULTI)
def test_sample_spaces(name, weight):
    """pCVR of clicked exposures; of all of them in esmm, as a factor, and in aitm, as pCTCVR itself.

    The weight is that of a row in each: no mean is over clicked rows alone.
    """
    network = architecture(name)(LAYOUT, replace(TINY, conversion_weight=weight))
    a, b = np.array([0.3, -1.0, 2.0, -0.5]), np.array([-1.0, 1.0, 0.5, 0.2])
    outputs = Outputs(torch.tensor(a), torch.tensor(b))
    loss = float(network.conversion_loss(outputs, torch.tensor(GRADE)))
    pctcvr = network.pctcvr(outputs).numpy()
    converted = GRADE == 2
    if name == "esmm":
        p = sigmoid(a) * sigmoid(b)
        expected, probability = weight * -np.log(np.where(converted, p, 1 - p)).mean(), p
    elif name == "aitm":
        p = sigmoid(b)
        over = np.maximum(p - sigmoid(a), 0)
        expected = weight * -np.log(np.where(converted, p, 1 - p)).mean() + 0.6 * over.mean()
        probability = np.minimum(p, sigmoid(a))
    else:
        p = sigmoid(b)
        expected = weight * -np.log(np.where(converted, p, 1 - p))[GRADE >= 1].sum() / len(GRADE)
        probability = sigmoid(a) * p
    assert loss == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(pctcvr, probability, rtol=1e-12)
    np.testing.assert_allclose(network.pcvr(outputs).numpy(), probability / sigmoid(a), rtol=1e-12)


def test_a_code_that_is_unseen_adds_nothing_and_learns_nothing():
    network = DNN(LAYOUT, TINY).eval()
    for parameter in network.parameters():
        parameter.data.abs_()  # no ReLU is off, so whatever can learn does
    codes = torch.tensor([[0, 1], [2, 0]], dtype=torch.int32)
    network(codes, torch.zeros((2, 2))).sum().backward()
    table = network.embedding.table
    assert not table.weight[0].any()
    assert table.weight[1:].all()
    assert table.weight.grad.any(dim=1).tolist() == [False, True, True, False, False, False]
