"""Networks behind the protocol of models: encode, train, predict, save, load."""

from __future__ import annotations

import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gbdt_pwiser._files import replacing_file
from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.progress import stage
from gbdt_pwiser.models.kept import KeptWith
from gbdt_pwiser.models.neural import ARCHITECTURES, FILE
from gbdt_pwiser.models.neural._blocks import Network, Outputs, Probabilities, exact
from gbdt_pwiser.models.neural._features import FeatureEncoder, Layout
from gbdt_pwiser.models.neural._loss import clicks_per_decided, exposed_bce, loss_of_clicks
from gbdt_pwiser.models.neural._rows import Rows, StoredRows, encoded_rows
from gbdt_pwiser.models.neural._training import (
    Trained,
    by_block,
    device_named,
    finite_auc,
    seeded,
    train_network,
)
from gbdt_pwiser.models.neural.dnn import DNN
from gbdt_pwiser.models.neural.settings import NetworkSettings
from gbdt_pwiser.models.protocol import OnRound, Predictions, Task
from gbdt_pwiser.models.spec import ModelSpec, check_device
from gbdt_pwiser.objectives import InputError, PWiseRLoss, base_score
from gbdt_pwiser.objectives.inputs import CLICK, CONVERSION, OPEN

BYTES_OF_A_WEIGHT: Final = 4
"""Adam keeps two more numbers for each, and there is its gradient."""

_kept_with = KeptWith()


class Data(NamedTuple):
    """Train and validation, and what encodes them."""

    encoder: FeatureEncoder
    train: Rows | StoredRows
    valid: Rows | StoredRows


class NetworkModel(ABC):
    """The networks of a model and the encoder of its features; what is trained how is in the subclasses."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self._device = device_named(spec.device)
        self._encoder: FeatureEncoder | None = None
        self._columns: list[str] = []
        self._trained: dict[str, Trained] = {}

    def fit(self, train: Exposures, valid: Exposures, on_round: OnRound | None = None) -> None:
        """Train, stopping early on the AUC of the click on validation.

        `on_round` gets each epoch with the AUCs of both tasks. Of `dnn` it gets the epochs of the click's
        network, then those of the conversion's where that one is not kept from another loss; see `OnRound`.

        Raises
        ------
        InputError
            Validation without features of train, pairs="group" without groups, exposures of one class only,
            or scores that are no longer finite.
        KeyboardInterrupt
            Before an epoch is through. A later interrupt ends the training, and the best epoch counts.
        """
        spec = self.spec
        if valid.features.columns != train.features.columns:
            raise InputError(
                f"{valid.name}: validation has other feature columns than {train.name}'s training"
            )
        if spec.needs_groups and train.group is None:
            instead = 'use pairs="all"' if spec.loss == "pwiser" else f"leave {spec.loss} out"
            raise InputError(f"{train.name} has no groups; {instead} or describe its group column")
        base_score(train.click)  # refuses one class only

        def encode() -> Data:
            with stage(f"{spec.model} encodes the features"):
                encoder = FeatureEncoder.fit(train, self.settings.bins)
                return Data(encoder, *(encoded_rows(part, encoder, self._device) for part in (train, valid)))

        data: Data = _kept_with.get(train, (valid, self._device, self.settings.bins), encode)
        self._check_size(data.encoder.layout)
        with seeded(spec.seed, spec.threads, self._device):
            trained = self._train(data, on_round)
        self._encoder, self._columns, self._trained = data.encoder, train.features.columns, trained

    def _check_size(self, layout: Layout) -> None:
        """Raise InputError for a network that memory cannot hold: where it ends, so does the process."""
        with torch.device("meta"):  # sizes without memory
            weights = sum(each.numel() for each in self._build(layout).parameters())
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        needed = 4 * BYTES_OF_A_WEIGHT * weights
        if needed > memory:
            raise InputError(
                f"{self.spec.model} has {weights:,} weights here, which need {needed / 2**30:,.0f} GiB in "
                f"training, and there are {memory / 2**30:,.0f}; give a smaller embedding or narrower layers"
            )

    def predict(self, exposures: Exposures) -> Predictions:
        """Return pCTR, pCTCVR and pCVR; InputError before `fit` or for other columns than in training."""
        encoder = self.encoder
        if exposures.features.columns != self._columns:
            raise InputError(f"{exposures.name} has other feature columns than the training data")
        with seeded(self.spec.seed, self.spec.threads, self._device):
            return self._predict(encoded_rows(exposures, encoder, self._device))

    @property
    def encoder(self) -> FeatureEncoder:
        """What the networks read of the features; InputError before `fit`."""
        if self._encoder is None:
            raise InputError("the model is not trained; call fit first")
        return self._encoder

    @property
    def probabilities(self) -> Probabilities:
        """The trained networks as one module from encoded features to pCTR and pCVR."""
        probabilities = Probabilities(each.network for each in self._trained.values())
        probabilities.eval()
        return probabilities

    @property
    def columns(self) -> list[str]:
        """The feature columns of training; none before `fit`."""
        return self._columns

    @property
    def rounds_used(self) -> int:
        """Epochs of the network with the click head up to its best on validation."""
        return self._trained["click"].epochs if self._trained else 0

    @property
    def fit_seconds(self) -> float:
        """Training time of all networks, without encoding the features."""
        return sum(trained.seconds for trained in self._trained.values())

    @property
    def size(self) -> int:
        """Trainable parameters of all networks."""
        return sum(
            parameter.numel() for each in self._trained.values() for parameter in each.network.parameters()
        )

    @property
    def settings(self) -> NetworkSettings:
        """The spec's settings, which `make_model` has seen to."""
        assert isinstance(self.spec.settings, NetworkSettings)
        return self.spec.settings

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the one file of a network into a folder; it says all, so nothing is left to return."""
        self.write(folder / FILE)
        return {}

    def restore(self, folder: Path, columns: Sequence[str], state: Mapping[str, Any]) -> None:
        """Become the network of these feature columns that `save` wrote; InputError for another file."""
        saved = load_network(folder / FILE, device=self.spec.device)
        if saved.columns != list(columns):
            raise InputError(f"{folder / FILE} has other columns than its manifest; train again")
        self._encoder, self._columns, self._trained = saved._encoder, saved._columns, saved._trained

    def write(self, path: Path | str) -> None:
        """Write the model to one file, a description in JSON and the weights; InputError before `fit`."""
        encoder, spec = self.encoder, self.spec
        description = {
            "spec": {
                name: getattr(spec, name)
                for name in ("model", "loss", "rival_weight", "seed", "device", "threads")
            },
            "pwiser": spec.record()["pwiser"],
            "network": self.settings.record(),
            "columns": self._columns,
            "encoder": encoder.record(),
            "trained": {name: [each.epochs, each.seconds] for name, each in self._trained.items()},
        }
        weights = {name: each.network.state_dict() for name, each in self._trained.items()}
        packed = io.BytesIO()  # written by Python, which tells of a full disk
        torch.save({"description": json.dumps(description), "weights": weights}, packed)
        with replacing_file(path) as temporary:
            temporary.write_bytes(packed.getbuffer())

    @abstractmethod
    def _build(self, layout: Layout) -> nn.Module:
        """Return one untrained network."""

    @abstractmethod
    def _train(self, data: Data, on_round: OnRound | None) -> dict[str, Trained]: ...

    @abstractmethod
    def _predict(self, rows: Rows | StoredRows) -> Predictions: ...


class MultiTaskModel(NetworkModel):
    """One network with two heads, stopped on the AUC of the click."""

    def _build(self, layout: Layout) -> Network:
        made: Network = architecture(self.spec.model)(layout, self.settings)
        return made

    def _train(self, data: Data, on_round: OnRound | None) -> dict[str, Trained]:
        network = self._build(data.encoder.layout).to(self._device)
        click_loss = loss_of_clicks(self.spec, self.settings.anchor_memory)
        per_decided = clicks_per_decided(data.train.host_grade)

        def loss(batch: Rows) -> Tensor:
            outputs = network(batch.codes, batch.numbers)
            click = click_loss(outputs.click, batch.host_grade, batch.group)
            return click + network.conversion_loss(outputs, batch.grade, per_decided)

        grade = data.valid.host_grade
        clicked = grade >= CLICK
        decided = clicked & (grade != OPEN)

        def ranked(outputs: Outputs) -> Tensor:
            return torch.stack([outputs.click.double(), network.pcvr(exact(outputs))])

        def validate() -> dict[Task, float]:
            click, pcvr = by_block(network, data.valid, ranked)
            return {
                "click": finite_auc(click, clicked, self.spec.model),
                "conversion": finite_auc(pcvr[decided], grade[decided] == CONVERSION, self.spec.model),
            }

        trained = train_network(
            network,
            loss,
            validate,
            rows=data.train,
            task="click",
            config=self.settings,
            seed=self.spec.seed,
            title=self.spec.model,
            shown=self.spec.title,
            on_round=on_round,
        )
        return {"click": trained}

    def _predict(self, rows: Rows | StoredRows) -> Predictions:
        network = self._trained["click"].network

        def probabilities(outputs: Outputs) -> Tensor:
            logits = exact(outputs)
            return torch.stack([torch.sigmoid(logits.click), network.pctcvr(logits), network.pcvr(logits)])

        pctr, pctcvr, pcvr = by_block(network, rows, probabilities)
        return Predictions(pctr=pctr, pctcvr=pctcvr, pcvr=pcvr)


class SingleTaskModel(NetworkModel):
    """A network for the click on all exposures, one for the conversion on clicks that are not open.

    Each is stopped on the AUC of its own task. The second one is the same for every loss. Where training or
    validation clicks are of one kind there is nothing to tell apart, and pCVR is 1.
    """

    def _build(self, layout: Layout) -> DNN:
        return DNN(layout, self.settings)

    def _train(self, data: Data, on_round: OnRound | None) -> dict[str, Trained]:
        spec, layout = self.spec, data.encoder.layout
        click_loss = loss_of_clicks(spec, self.settings.anchor_memory)

        def of_click(logit: Tensor, batch: Rows) -> Tensor:
            return click_loss(logit, batch.host_grade, batch.group)

        def of_conversion(logit: Tensor, batch: Rows) -> Tensor:
            return exposed_bce(logit, batch.grade)

        trained = {"click": self._train_task("click", of_click, layout, data.train, data.valid, on_round)}
        clicked, clicked_valid = data.train.decided_clicks(), data.valid.decided_clicks()
        if all(len(np.unique(rows.host_grade)) == 2 for rows in (clicked, clicked_valid)):
            trained["conversion"] = _kept_with.get(
                data.train,
                (data.valid, self.settings, spec.seed),
                lambda: self._train_task(
                    "conversion", of_conversion, layout, clicked, clicked_valid, on_round
                ),
            )
        return trained

    def _train_task(
        self,
        task: Task,
        loss: Callable[[Tensor, Rows], Tensor],
        layout: Layout,
        train: Rows | StoredRows,
        valid: Rows | StoredRows,
        on_round: OnRound | None,
    ) -> Trained:
        torch.manual_seed(self.spec.seed)  # the conversion's, whatever the click's training has drawn
        network = self._build(layout).to(self._device)
        positive, title = valid.host_grade >= (CLICK if task == "click" else CONVERSION), f"dnn, {task}"

        def validate() -> dict[Task, float]:
            return {task: finite_auc(by_block(network, valid, lambda logit: logit), positive, title)}

        return train_network(
            network,
            lambda batch: loss(network(batch.codes, batch.numbers), batch),
            validate,
            rows=train,
            task=task,
            config=self.settings,
            seed=self.spec.seed,
            title=title,
            shown=self.spec.title if task == "click" else f"{self.spec.model} {task}",
            on_round=on_round,
        )

    def _predict(self, rows: Rows | StoredRows) -> Predictions:
        pctr, *conversion = (
            by_block(each.network, rows, lambda logit: torch.sigmoid(logit.double()))
            for each in self._trained.values()
        )
        pcvr = conversion[0] if conversion else np.ones_like(pctr)
        return Predictions(pctr=pctr, pctcvr=pctr * pcvr, pcvr=pcvr)


def make_network(spec: ModelSpec) -> NetworkModel:
    """Return the untrained network of a spec."""
    two_headed = issubclass(architecture(spec.model), Network)
    return MultiTaskModel(spec) if two_headed else SingleTaskModel(spec)


def architecture(model: str) -> Any:
    """Return the class of a network by its name."""
    return getattr(import_module(f"{__package__}.{model}"), ARCHITECTURES[model])


def _described_spec(described: dict[str, Any], device: str | None) -> ModelSpec:
    """Return the spec of a stored description, for a device; ValueError, LookupError, TypeError for none."""
    try:
        spec = ModelSpec(
            **{**described["spec"], "device": device or described["spec"]["device"]},
            pwiser=PWiseRLoss(**described["pwiser"]),
            settings=NetworkSettings.from_record(described["network"]),
        )
    except InputError as error:
        raise ValueError(str(error)) from error
    if spec.model not in ARCHITECTURES:
        raise ValueError(f"it is of {spec.model}")
    return spec


def load_network(path: Path, *, device: str | None = None) -> NetworkModel:
    """Read what `NetworkModel.save` wrote; see `gbdt_pwiser.models.neural.load_network`."""
    if not path.is_file():
        raise InputError(f"{path} is not a file; give one that a network's save wrote")
    if device is not None:
        check_device(device)
    try:
        # weights_only: tensors, text and nothing that could run.
        stored = torch.load(path, map_location="cpu", weights_only=True)
        described: dict[str, Any] = json.loads(stored["description"])
        model = make_network(_described_spec(described, device))
        encoder = FeatureEncoder(**described["encoder"])
        model._encoder, model._columns = encoder, described["columns"]
        encoder.check(model.columns)
        if set(described["trained"]) - {"click", "conversion"} or "click" not in described["trained"]:
            raise ValueError(f"it has networks for {', '.join(described['trained']) or 'nothing'}")
        for name, (epochs, seconds) in described["trained"].items():
            weights = stored["weights"][name]
            with torch.device("meta"):  # before memory is taken for what a damaged description asks for
                wanted = model._build(encoder.layout).state_dict()
            if {key: w.shape for key, w in weights.items()} != {key: w.shape for key, w in wanted.items()}:
                raise ValueError(f"the weights of {name} have other shapes")
            if not all(torch.isfinite(tensor).all() for tensor in weights.values()):
                raise ValueError(f"a weight of {name} is not finite")
            network = model._build(encoder.layout)
            network.load_state_dict(weights)
            model._trained[name] = Trained(network.to(model._device), int(epochs), float(seconds))
    except InputError:  # the device is not there
        raise
    except Exception as error:  # whatever PyTorch and JSON make of a damaged file
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{path} is no saved network ({reason}); train it and save it again") from error
    return model
