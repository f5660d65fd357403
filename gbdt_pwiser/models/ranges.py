"""What a search may try of a parameter; `trial` is one of Optuna's, whose sampler chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gbdt_pwiser.objectives import InputError


@dataclass(frozen=True)
class Float:
    """Numbers from low to high, uniform; `default` where the spec itself does not say."""

    low: float
    high: float
    default: float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InputError(f"a range is from {self.low} to {self.high}; let low be below high")

    def suggest(self, trial: Any, name: str) -> float:
        """Let the sampler choose."""
        return float(trial.suggest_float(name, self.low, self.high))

    def nearest(self, value: Any) -> float:
        """Return the value in the range that is nearest to the given one, as the sampler knows it."""
        return float(min(max(value, self.low), self.high))


@dataclass(frozen=True)
class LogFloat(Float):
    """Numbers from low to high, log-uniform. With `zero`, low itself stands for 0, which no log scale has."""

    zero: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low > 0:
            raise InputError(f"a log range starts at {self.low}; give a positive low")

    def suggest(self, trial: Any, name: str) -> float:
        """Let the sampler choose."""
        value = float(trial.suggest_float(name, self.low, self.high, log=True))
        return 0.0 if self.zero and value <= self.low else value


@dataclass(frozen=True)
class Int:
    """Whole numbers from low to high, uniform or log-uniform."""

    low: int
    high: int
    default: int | None = None
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low < 1):
            raise InputError(
                f"a range is from {self.low} to {self.high}; let low be below high, above 0 for log"
            )

    def suggest(self, trial: Any, name: str) -> int:
        """Let the sampler choose."""
        return int(trial.suggest_int(name, self.low, self.high, log=self.log))

    def nearest(self, value: Any) -> int:
        """Return the value in the range that is nearest to the given one."""
        return int(min(max(round(value), self.low), self.high))


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    choices: tuple[Any, ...]
    default: Any = None

    def __post_init__(self) -> None:
        if len(set(self.choices)) < max(1, len(self.choices)):
            raise InputError(f"choices are {list(self.choices)}; give at least one, each once")

    def suggest(self, trial: Any, name: str) -> Any:
        """Let the sampler choose."""
        return trial.suggest_categorical(name, self.choices)

    def nearest(self, value: Any) -> Any:
        """Return the value itself where it is a choice, else the first choice."""
        return value if value in self.choices else self.choices[0]


Range = Float | LogFloat | Int | Choice
