"""What decides the models of a family beside their loss, and how it is read from text."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Final, Self

import numpy as np

from gbdt_pwiser.data import Exposures
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.objectives.errors import unknown


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides the models of a family, apart from their data, loss and seed.

    A family subclasses it as a frozen dataclass whose fields all have defaults and are checked when it is
    made. The command line, the files of a search and those of a model read its fields, so that no other
    code has to know the family. A model with nothing to set has this class itself.
    """

    family: ClassVar[str] = "model"
    """What the command line calls the family, as in `--set network.embedding=16`."""

    of_training: ClassVar[tuple[str, ...]] = ()
    """Fields that say how long a model trains: in a search equal for all losses, and never searched."""

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))

    @classmethod
    def names(cls, model: str) -> frozenset[str]:
        """Return the names that can be set for a model of the family."""
        return frozenset(cls.defaults())

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the fields and their defaults."""
        return cls().record()

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Return what `record` described; TypeError for a field that is none, InputError for a wrong one."""
        return cls(**{n: tuple(v) if isinstance(v, list) else v for n, v in record.items()})

    def record(self) -> dict[str, Any]:
        """Return the fields by name, as JSON can hold them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def most_rounds(self) -> int:
        """Rounds of training, or epochs, at most."""
        return 1

    def check(self, model: str) -> None:
        """Raise InputError for what a model of the family cannot have, though others of the family can."""

    def check_validation(self, valid: Exposures) -> None:
        """Raise InputError for validation exposures on which a training with these settings cannot stop."""

    def value(self, name: str) -> Any:
        """Return what is set under a name; None where that is left to the model."""
        return getattr(self, name)

    def changed(self, values: Mapping[str, Any]) -> Self:
        """Return the settings with other values; InputError for a name or a value that cannot be."""
        known = self.defaults()
        for name in values:
            if name not in known:
                raise self._unknown(name)
        return replace(self, **values) if values else self

    def parameters(self) -> dict[str, Any]:
        """Return what decides the model and is not the default, without how long it trains."""
        usual = self.defaults()
        return {
            name: value
            for name, value in self.record().items()
            if name not in self.of_training and value != usual[name]
        }

    @classmethod
    def read(cls, options: Sequence[str]) -> dict[str, Any]:
        """Read values of the form KEY=VALUE, the later one winning; InputError lists the keys."""
        return dict(cls._read_one(option) for option in options)

    @classmethod
    def _read_one(cls, option: str) -> tuple[str, Any]:
        kinds = {field.name: str(field.type) for field in fields(cls) if str(field.type) in _READERS}
        key, equals, text = (part.strip() for part in option.partition("="))
        if not equals:
            raise InputError(
                f"{cls.family} setting {option!r} has no value; write KEY=VALUE{cls._example(kinds)}"
            )
        if key not in kinds:
            return key, cls._read_other(key, text)
        what, read = _READERS[kinds[key]]
        try:
            return key, read(text)
        except (ValueError, KeyError):
            raise InputError(
                f"{cls.family} setting {key} is {text!r}; give {what}. The settings are {', '.join(kinds)}"
            ) from None

    @classmethod
    def _read_other(cls, key: str, text: str) -> Any:
        """Return the value of a key that is no field."""
        raise cls._unknown(key)

    @classmethod
    def _unknown(cls, name: str) -> InputError:
        known = cls.defaults()
        if not known:
            return InputError(f"{cls.family} setting {name!r} is given, and there is none; leave it out")
        return unknown(f"{cls.family} setting", name, known)

    @classmethod
    def _example(cls, kinds: Mapping[str, str]) -> str:
        whole = next((name for name, kind in kinds.items() if kind == "int"), None)
        return f", such as {whole}=16" if whole else ""


def plain(value: Any) -> Any:
    """Return NumPy's numbers, in lists and tables too, as those of Python: JSON and libraries take no others.

    Examples
    --------
    >>> import numpy as np
    >>> plain({"widths": (np.int64(8), 4), "rate": np.float64(0.5)})
    {'widths': (8, 4), 'rate': 0.5}
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return type(value)(map(plain, value)) if type(value) in (list, tuple) else value


def any_value(text: str) -> Any:
    """Return a number, a truth or a list as TOML writes them; anything else is a word.

    Examples
    --------
    >>> any_value("7"), any_value("0.5"), any_value("true"), any_value("[1, 0]"), any_value("dart")
    (7, 0.5, True, [1, 0], 'dart')
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _or_none(text: str) -> float | None:
    return None if text.lower() == "none" else float(text)


def _widths(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


# By the type that a field is declared with.
_READERS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "str": ("a name", str),
    "int": ("a whole number", int),
    "float": ("a number", float),
    "bool": ("true or false", _truth),
    "float | None": ("a number or none", _or_none),
    "tuple[int, ...]": ("widths such as 64,32", _widths),
}
