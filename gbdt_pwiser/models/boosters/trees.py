"""What both boosters share: one booster for the click, one for the conversion of a click.

pCTR comes from a booster on all exposures, with the loss that is compared. pCVR comes from a second booster
on clicked exposures with BCE, the same for every loss, and pCTCVR = pCTR * pCVR: a difference in CTCVR AUC
between two losses is then the work of their pCTR alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import lightgbm
import numpy as np
import xgboost
from numpy.typing import NDArray

from gbdt_pwiser._sigmoid import fit_sigmoid
from gbdt_pwiser.data import Exposures
from gbdt_pwiser.data.progress import PASSING, Rounds, bar, stage
from gbdt_pwiser.data.stored import BLOCK
from gbdt_pwiser.models.boosters._binning import with_adjacent_groups
from gbdt_pwiser.models.boosters._features import by_position, refuse_params, with_columns
from gbdt_pwiser.models.boosters._stopping import StopBy
from gbdt_pwiser.models.boosters.device import check_device, check_usable
from gbdt_pwiser.models.boosters.settings import BoosterSettings
from gbdt_pwiser.models.kept import KeptWith
from gbdt_pwiser.models.losses import LOSSES
from gbdt_pwiser.models.protocol import OnRound, OnRoundOfTask, Predictions, Task, of_task
from gbdt_pwiser.models.spec import ModelSpec
from gbdt_pwiser.objectives import InputError, PWiseRLoss


@dataclass(frozen=True, eq=False)
class Trained:
    """A booster, the round that counts, where its scores start, and the time it took.

    A slope says that the scores are no log-odds: pCTR = sigmoid(slope * score + start).
    """

    booster: Any
    rounds: int
    start: float
    seconds: float
    slope: float | None = None


@dataclass(frozen=True, eq=False)
class Binned:
    """Train and validation in a booster's own form, for one of the two tasks."""

    train: Any
    valid: Any
    click: NDArray[np.bool_]
    before: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    """Raw scores of train and validation that trees are grown on; None where they begin at the start."""

    @contextmanager
    def on_earlier_trees(
        self, starting_at: Callable[[Any, NDArray[np.float64]], AbstractContextManager[None]]
    ) -> Iterator[None]:
        """Have both data sets start, as a library's are told to, at those raw scores, where there are any."""
        with ExitStack() as stack:
            for data, raw in zip((self.train, self.valid), self.before or (), strict=False):
                stack.enter_context(starting_at(data, raw))
            yield


_kept_with = KeptWith()


# What a search changes from model to model while the features stay binned.
_NOT_OF_BINS = frozenset(
    {"num_leaves", "min_data_in_leaf", "feature_fraction_bynode", "bagging_fraction", "lambda_l2"}
    | {"max_depth", "min_child_weight", "subsample", "colsample_bytree", "lambda"}
)


class TreeModel(ABC):
    """The two boosters of a model; what is special to a library is in its subclass."""

    suffix: ClassVar[str]
    """Of a booster's file."""
    library: ClassVar[str]
    """Which library's booster it is, as parameters and devices are named by it."""

    def __init__(self, spec: ModelSpec) -> None:
        check_device(spec.device, self.library)
        self.spec = self._given = spec
        refuse_params(self.settings.params, spec.loss)
        self.settings.check(spec.model)
        self._click: Trained | None = None
        self._conversion: Trained | None = None
        self._columns: list[str] = []
        self._earlier: TreeModel | None = None
        """The trained model that training goes on from; None where it begins anew."""

    @property
    def settings(self) -> BoosterSettings:
        """The spec's settings, which `make_model` has seen to."""
        assert isinstance(self.spec.settings, BoosterSettings)
        return self.spec.settings

    def fit(self, train: Exposures, valid: Exposures, on_round: OnRound | None = None) -> None:
        """Train both boosters, stopping the click's early by `stop_by` of its score on validation.

        The conversion's stops by the AUC of its task there.

        `on_round` gets each round of the click booster, then each of the conversion booster where that one
        is trained and not kept from another loss; see `OnRound`.

        Raises
        ------
        InputError
            Validation without features of train, a loss that needs groups without them, a ranker without
            clicks in validation, a validation that cannot give the metric to stop by, or what the library
            itself refuses: a device, a parameter, a code.
        """
        self.spec = self._given
        spec, settings = self.spec, self.settings
        self._check_usable()
        if valid.features.columns != train.features.columns:
            raise InputError(
                f"{valid.name}: validation has other feature columns than {train.name}'s training"
            )
        self._columns = train.features.columns
        grouped = spec.needs_groups
        if grouped and train.group is None:
            instead = 'use pairs="all"' if spec.loss == "pwiser" else f"leave {spec.loss} out"
            raise InputError(f"{train.name} has no groups; {instead} or describe its group column")
        stop_by = StopBy.of(settings.stop_by, valid)
        # Others, such as max_bin, may decide the bins.
        bins = repr(sorted(item for item in settings.params.items() if item[0] not in _NOT_OF_BINS))

        def bin_features() -> Binned:
            with stage(f"{spec.model} bins the features"):
                return self._bin(with_adjacent_groups(train) if grouped else train, valid, grouped)

        def train_conversion() -> Trained | None:
            with Rounds(f"{spec.model} conversion", settings.rounds) as rounds:
                return self._train_conversion(train, valid, rounds.after(of_task(on_round, "conversion")))

        with refusals(spec.model, self._columns):
            binned = _kept_with.get(
                train,
                (valid, type(self), spec.device, settings.external_memory, bins, grouped),
                bin_features,
            )
            with Rounds(spec.title, settings.rounds) as rounds:
                click = self._train_task(
                    "click",
                    binned,
                    (train, valid),
                    spec.loss,
                    rounds.after(of_task(on_round, "click")),
                    stop_by,
                )
            decided = repr(sorted(settings.record().items()))
            self._conversion = _kept_with.get(
                train,
                (valid, spec.model, spec.device, spec.seed, decided, self._earlier),
                train_conversion,
            )
        self._click = click if LOSSES[spec.loss].is_log_odds else self._with_sigmoid(click, valid)

    def predict(self, exposures: Exposures) -> Predictions:
        """Return pCTR, pCTCVR and pCVR; InputError before `fit` or for other columns than in training."""
        click = self._click_of(exposures)
        pctr, pcvr = np.empty(len(exposures)), np.empty(len(exposures))
        start = 0
        with bar(total=len(exposures), desc="predict", unit=" rows", delay=2, **PASSING) as progress:
            for block in exposures.blocks(BLOCK):
                rows = slice(start, start := start + len(block))
                pctr[rows], pcvr[rows] = self._of_block(click, block)
                progress.update(len(block))
        return Predictions(pctr=pctr, pctcvr=pctr * pcvr, pcvr=pcvr)

    def predict_matrix(self, matrix: NDArray[np.float32]) -> Predictions:
        """Return what `predict` does of exposures with this matrix; InputError before `fit`."""
        pctr, pcvr = self._of_block(self._trained_click(), matrix)
        return Predictions(pctr=pctr, pctcvr=pctr * pcvr, pcvr=pcvr)

    def _of_block(
        self, click: Trained, block: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return pCTR and pCVR."""
        features = self._features(block)
        pctr = self._probability(click, features)
        return pctr, self._pcvr(self._conversion, features) if self._conversion else np.ones(len(pctr))

    def raw_scores_at(
        self, exposures: Exposures, rounds: Sequence[int]
    ) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield raw scores of pCTR after each of these rounds; see `StagedModel`.

        All of them together cost one prediction, and each a pass over the features. With dart they are those
        of the trees as the last round left them, which in training weighed more.
        """
        click = self._click_of(exposures)
        if not LOSSES[self.spec.loss].is_log_odds:
            raise InputError(f"the scores of {self.spec.loss} are no log-odds; ask a model of another loss")
        known = [-1, *rounds, click.rounds + 1]
        if any(first >= last for first, last in pairwise(known)):
            raise InputError(
                f"rounds are {', '.join(map(str, rounds))}; give ascending ones from 0 to {click.rounds}"
            )
        return self._staged(click, exposures, rounds)

    def _staged(
        self, click: Trained, exposures: Exposures, rounds: Sequence[int]
    ) -> Iterator[tuple[int, NDArray[np.float64]]]:
        raw = np.full(len(exposures), self._start(click))
        for first, last in pairwise([0, *rounds]):
            start = 0
            for block in exposures.blocks(BLOCK) if last > first else ():
                rows = slice(start, start := start + len(block))
                raw[rows] += self._added(click, self._features(block), first, last)
            yield last, raw

    def _click_of(self, exposures: Exposures) -> Trained:
        """Return the click booster; InputError before `fit` or for other columns than in training."""
        click = self._trained_click()
        if exposures.features.columns != self._columns:
            raise InputError(f"{exposures.name} has other feature columns than the training data")
        return click

    def _trained_click(self) -> Trained:
        if self._click is None:
            raise InputError("the model is not trained; call fit first")
        return self._click

    @property
    def boosters(self) -> dict[Task, Trained]:
        """The trained boosters by task; without the conversion where there is none to tell apart."""
        by_task: dict[Task, Trained | None] = {"click": self._click, "conversion": self._conversion}
        return {task: trained for task, trained in by_task.items() if trained is not None}

    def log_odds(self, trained: Trained) -> tuple[float, float]:
        """Return slope and start: slope * raw score + start is what the probability is the sigmoid of."""
        return 1.0 if trained.slope is None else trained.slope, trained.start

    @property
    def rounds_used(self) -> int:
        """Rounds of the click booster up to its best on validation."""
        return 0 if self._click is None else self._click.rounds

    @property
    def fit_seconds(self) -> float:
        """Training time of both boosters."""
        return sum(trained.seconds for trained in (self._click, self._conversion) if trained)

    @property
    def size(self) -> int:
        """Trees of both boosters that count."""
        return sum(trained.rounds for trained in (self._click, self._conversion) if trained)

    def _keep_margins(self, objective: Any) -> None:
        """Have the spec tell which numbers the margins stood for that were given as quantiles."""
        if isinstance(fixed := getattr(objective, "fixed_loss", None), PWiseRLoss):
            self.spec = replace(self.spec, pwiser=fixed)

    def _check_usable(self) -> None:
        check_usable(self.spec.device, self.library)

    @property
    def _own_params(self) -> dict[str, Any]:
        """The spec's own parameters, as the library has them."""
        return by_position(self.settings.params, self._columns, self.library)

    def _train_conversion(
        self, train: Exposures, valid: Exposures, on_round: OnRoundOfTask | None = None
    ) -> Trained | None:
        """Train the booster for a conversion given a click; None where there is nothing to tell apart."""
        clicked, clicked_valid = (conversions_of_clicks(part) for part in (train, valid))
        if len(np.unique(clicked.click)) < 2 or len(np.unique(clicked_valid.click)) < 2:
            return None if self._earlier is None else self._earlier._conversion
        binned = self._bin(clicked, clicked_valid, grouped=False)
        return self._train_task("conversion", binned, (clicked, clicked_valid), "bce", on_round)

    def _train_task(
        self,
        task: Task,
        binned: Binned,
        parts: tuple[Exposures, Exposures],
        loss: str,
        on_round: OnRoundOfTask | None = None,
        stop_by: StopBy | None = None,
    ) -> Trained:
        """Train the booster of a task on train and validation, which are binned."""
        return self._train(binned, loss, on_round, stop_by)

    def _features(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the boosters are given of a block of features."""
        return block

    def _pcvr(self, trained: Trained, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return self._probability(trained, features)

    def _with_sigmoid(self, ranker: Trained, valid: Exposures) -> Trained:
        """Fit on validation what makes pCTR of a ranker's scores."""
        blocks = map(self._features, valid.blocks(BLOCK))
        score = np.concatenate([self._score(ranker, features) for features in blocks])
        slope, start = fit_sigmoid(score, valid.click)
        return replace(ranker, slope=slope, start=start)

    @abstractmethod
    def _bin(self, train: Exposures, valid: Exposures, grouped: bool) -> Binned: ...

    @abstractmethod
    def _train(
        self,
        binned: Binned,
        loss: str,
        on_round: OnRoundOfTask | None = None,
        stop_by: StopBy | None = None,
    ) -> Trained:
        """Train a booster, stopping early by the metric, or by AUC where there is none."""

    @abstractmethod
    def _score(self, trained: Trained, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return raw scores: what the booster's trees add up to."""

    @abstractmethod
    def _start(self, trained: Trained) -> float:
        """Return the raw score before the first round."""

    @abstractmethod
    def _added(
        self, trained: Trained, features: NDArray[np.float32], first: int, last: int
    ) -> NDArray[np.float64]:
        """Return what the rounds first .. last - 1, counted from 0, add to raw scores; last > first."""

    @abstractmethod
    def _probability(self, trained: Trained, features: NDArray[np.float32]) -> NDArray[np.float64]: ...

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the boosters, up to the rounds that count, and return the rest as JSON can hold it.

        `restore` reads both. InputError before `fit`.
        """
        if self._click is None:
            raise InputError("the model is not trained; call fit first")
        state: dict[str, Any] = {}
        for task, trained in (("click", self._click), ("conversion", self._conversion)):
            if trained is not None:
                file = f"{task}{self.suffix}"
                self._write(trained, folder / file)
                rest = {f.name: getattr(trained, f.name) for f in fields(trained) if f.name != "booster"}
                state[task] = {"file": file, **rest}
        return state

    def restore(self, folder: Path, columns: Sequence[str], state: Mapping[str, Any]) -> None:
        """Become the model of these feature columns that `save` wrote; InputError for other boosters."""
        trained = {}
        for task in ("click", "conversion"):
            if task in state:
                rest = dict(state[task])
                path = folder / rest.pop("file")
                try:
                    booster, features = self._read(path, task)
                except (lightgbm.basic.LightGBMError, xgboost.core.XGBoostError) as error:
                    raise InputError(f"{path} is no booster of {self.spec.model}; train again") from error
                if features != len(columns):
                    raise InputError(f"{path} has {features} features, not {len(columns)}; train again")
                if not 0 < rest["rounds"] <= self._rounds(booster):
                    raise InputError(
                        f"{path} has {self._rounds(booster)} rounds, and {rest['rounds']} are to count; "
                        "copy the folder again or train again"
                    )
                trained[task] = Trained(booster, **rest)
        self._columns = list(columns)
        self._click, self._conversion = trained["click"], trained.get("conversion")

    @abstractmethod
    def _rounds(self, booster: Any) -> int:
        """Return how many rounds a booster has."""

    @abstractmethod
    def _write(self, trained: Trained, path: Path) -> None: ...

    @abstractmethod
    def _read(self, path: Path, task: str) -> tuple[Any, int]:
        """Return the booster of a task's file, and how many features it has."""


@contextmanager
def refusals(model: str, columns: Sequence[str] = ()) -> Iterator[None]:
    """Turn an error of a booster into an InputError of one line, which names columns as the user does."""
    try:
        yield
    except (lightgbm.basic.LightGBMError, xgboost.core.XGBoostError) as error:
        reason = " ".join(str(error).partition("\nStack trace")[0].split())
        raise InputError(
            f"{model} refuses the data or a parameter: {with_columns(reason, columns)}"
        ) from error


def conversions_of_clicks(exposures: Exposures) -> Exposures:
    """Clicks whose conversion is not open, with the conversion in the place of the click."""
    clicked = exposures.take(exposures.decided_click)
    return Exposures(
        name=clicked.name,
        features=clicked.features,
        grade=clicked.conversion.astype(np.int8),
        categorical=clicked.categorical,
    )
