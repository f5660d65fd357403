"""What a data set that has a name says of itself; `registry.py` lists them and needs nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gbdt_pwiser.data.split import Dataset


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set that has a name; it is either `Made` or `Released`.

    Attributes
    ----------
    name
        What `load` and the command line call it.
    description
        What it holds, in a few words.
    """

    name: str
    description: str


@dataclass(frozen=True, kw_only=True)
class Made(Source):
    """A data set that is made whenever it is loaded, and needs no files.

    Attributes
    ----------
    make
        Called with those of the `options` that are given to `load`.
    options
        Their names.
    """

    make: Callable[..., Dataset]
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Released(Source):
    """A data set whose files have to be downloaded and prepared once, before it can be loaded.

    Attributes
    ----------
    download
        What to download and from where, to stand behind the word "download".
    prepare
        Called with the path of the files, the folder of prepared sets, `skip_bad_lines` and `progress`, and
        with `rare` if it `learns_codes`; returns the folder of the prepared set.
    learns_codes
        Whether the ids get their codes when the set is prepared, so that `rare` has a say in them; else the
        codes are the publisher's.
    """

    download: str
    prepare: Callable[..., Path]
    learns_codes: bool = False
