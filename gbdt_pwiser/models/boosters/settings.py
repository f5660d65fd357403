"""What decides a pair of boosters beside their loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.metrics import check_ranks_by_pctr
from gbdt_pwiser.models.boosters._stopping import StopBy
from gbdt_pwiser.models.settings import Settings, any_value
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import LARGEST, check_whole
from gbdt_pwiser.objectives.inputs import LARGEST_PARAMETER


@dataclass(frozen=True, kw_only=True)
class BoosterSettings(Settings):
    """How long a booster trains, how fast, and whatever else its library can be told.

    Attributes
    ----------
    rounds
        Most boosting rounds.
    early_stopping
        Rounds without a better value of `stop_by` on validation after which training stops; the best round
        counts.
    stop_by
        Metric by which the click booster stops: one of `METRICS` that ranks by pCTR, or ndcg@K, map@K or
        conversions@K. The conversion booster stops by its AUC.
    learning_rate
        Shrinkage of each round, above 0 and at most 1.
    external_memory
        Whether the bins are kept in temporary files and read in every round, as XGBoost can.
    conversion_weight
        Weight of the conversion in trees that both tasks share, in the unit of `MultiTaskLoss`: so many times
        as much as in the click does a clicked exposure weigh in it. Other boosters take 1 alone.
    params
        More parameters in the library's own words; they win over the defaults here.

    Raises
    ------
    InputError
        A number that makes no sense, or a metric that cannot be stopped by; `make_model` refuses parameters
        that the library does not know.
    """

    family: ClassVar[str] = "booster"
    of_training: ClassVar[tuple[str, ...]] = ("rounds", "early_stopping", "stop_by")

    rounds: int = 500
    early_stopping: int = 50
    stop_by: str = "ctr_auc"
    learning_rate: float = 0.05
    external_memory: bool = False
    conversion_weight: float = 1.0
    params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rounds", "early_stopping"):
            check_whole(name, getattr(self, name), 1, LARGEST)
        check_ranks_by_pctr(self.stop_by)
        rate = self.learning_rate
        is_number = isinstance(rate, int | float) and not isinstance(rate, bool)
        if not (is_number and 0 < rate <= 1):
            raise InputError(f"learning_rate is {rate!r}; give a number above 0 and at most 1")
        weight = self.conversion_weight
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not (is_number and 0 < weight <= LARGEST_PARAMETER):
            raise InputError(f"conversion_weight is {weight!r}; give a positive number")
        if not isinstance(self.external_memory, bool):
            raise InputError(f"external_memory is {self.external_memory!r}; give True or False")
        if not isinstance(self.params, Mapping):
            raise InputError(f"params is {self.params!r}; give names and values")

    @classmethod
    def names(cls, model: str) -> frozenset[str]:
        """Return the names, aliases included, that the model's library knows, and those that are not its."""
        from gbdt_pwiser.models.boosters import BOOSTERS
        from gbdt_pwiser.models.boosters.parameters import known_params

        kind = BOOSTERS[model]
        return known_params(kind.library) | (frozenset({"conversion_weight"}) if kind.shares_tasks else set())

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> BoosterSettings:
        """Return what `record` described; see `Settings`."""
        return cls(**record)

    def record(self) -> dict[str, Any]:
        """Return the fields by name; see `Settings`."""
        return {**super().record(), "params": dict(self.params)}

    @property
    def most_rounds(self) -> int:
        """Boosting rounds at most."""
        return self.rounds

    def check(self, model: str) -> None:
        """Raise InputError for a parameter that the model's library does not know, or cannot have.

        Also for the weight of a conversion where no tree learns both tasks.
        """
        from gbdt_pwiser.models.boosters import BOOSTERS
        from gbdt_pwiser.models.boosters.parameters import check_params

        kind = BOOSTERS[model]
        check_params(kind.library, self.params)
        if self.conversion_weight != 1 and not kind.shares_tasks:
            raise InputError(
                f"conversion_weight is for trees that both tasks share, and {model} has none; leave it out"
            )

    def check_validation(self, valid: Exposures) -> None:
        """Raise InputError where validation cannot give the metric that stops the click's training."""
        StopBy.of(self.stop_by, valid)

    def value(self, name: str) -> Any:
        """Return a field, or a parameter in the library's own words; None where the model decides it."""
        return getattr(self, name) if name in self.defaults() else self.params.get(name)

    def changed(self, values: Mapping[str, Any]) -> BoosterSettings:
        """Return the settings with other values; what is no field is a parameter of the library."""
        known = self.defaults()
        of_library = {name: value for name, value in values.items() if name not in known}
        own = {name: value for name, value in values.items() if name in known}
        if of_library:
            own["params"] = {**own.get("params", self.params), **of_library}
        return super().changed(own)

    def parameters(self) -> dict[str, Any]:
        """Return the learning rate, the weight of the conversion and the library's parameters.

        Where bins lie decides no model.
        """
        weight = {} if self.conversion_weight == 1 else {"conversion_weight": self.conversion_weight}
        return {"learning_rate": self.learning_rate, **weight, **self.params}

    @classmethod
    def _read_other(cls, key: str, text: str) -> Any:
        return any_value(text)
