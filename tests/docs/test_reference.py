"""Every public name, and every command, has its place in the reference."""

import importlib
import pkgutil
import re

import pytest

import gbdt_pwiser
from gbdt_pwiser.cli import COMMANDS
from tests.docs.pages import DOCS, text_of

API = "docs/reference/api"
# Parts whose names are no use in a script.
NOT_PYTHON = {"cli"}
ROOMS = sorted(
    module.name
    for module in pkgutil.iter_modules(gbdt_pwiser.__path__)
    if not module.name.startswith("_") and module.name not in NOT_PYTHON
)


def exported(room):
    module = importlib.import_module(f"gbdt_pwiser.{room}")
    made_here = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    return sorted(getattr(module, "__all__", made_here))


def described(page):
    tables = re.findall(r"^\.\. autosummary::\n((?:   .*\n|\n)+)", text_of(page), re.MULTILINE)
    return [name for table in tables for name in re.findall(r"^   (\w[\w.]*)$", table, re.MULTILINE)]


def test_every_part_has_a_page():
    assert {path.stem for path in (DOCS / "reference" / "api").glob("*.md")} == {"index", *ROOMS}


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_described_once(room):
    page = f"{API}/{room}.md"
    assert f".. currentmodule:: gbdt_pwiser.{room}\n" in text_of(page)
    assert sorted(described(page)) == exported(room)


def test_what_is_imported_from_the_package_is_listed_by_its_part():
    names = set(gbdt_pwiser.__all__) - {"__version__"}
    assert sorted(described(f"{API}/index.md")) == sorted(f"{gbdt_pwiser._ROOM_OF[n]}.{n}" for n in names)


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_has_a_docstring(room):
    module = importlib.import_module(f"gbdt_pwiser.{room}")
    for name in exported(room):
        value = getattr(module, name)
        if isinstance(value, type) or callable(value):
            assert (value.__doc__ or "").strip(), name


def test_commands_are_described_in_the_order_in_which_they_are_used():
    (listed,) = re.findall(r":commands: (.*)", text_of("docs/reference/commands.md"))
    assert listed.split(", ") == list(COMMANDS)
