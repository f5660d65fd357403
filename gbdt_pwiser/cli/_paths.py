"""Paths that a user gives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from gbdt_pwiser.cli._errors import input_error
from gbdt_pwiser.cli._headings import MODEL, option


class PathOption(click.Path):
    """The type of an option that is a path; `~` is the user's home.

    An empty path is refused: it would mean the current folder, and comes from a variable that is not set.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; see click."""
        return super().convert(not_empty(ctx, param, value), param, ctx)


def not_empty(_: click.Context | None, param: click.Parameter | None, value: Any) -> Any:
    """Return a path with the home in the place of `~`; InputError where it is empty."""
    if value is None:
        return None
    if not str(value).strip():
        name = param.opts[0] if param else "a path"
        raise input_error(f"{name} is empty; give a path, or . for the current folder")
    return os.path.expanduser(value)


model_folder_option = option(
    "--model",
    "folder",
    required=True,
    type=PathOption(),
    help="Model folder that train wrote.",
    panel=MODEL,
)
