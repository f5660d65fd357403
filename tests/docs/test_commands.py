"""The reference of a command shows its examples, and its options under the headings of its help."""

import click
import pytest

from tests.docs.pages import extension

pytest.importorskip("sphinx")


@pytest.fixture(scope="module")
def commands():
    return extension("commands")


class WithHeadings(click.Command):
    examples = ("paint --colour red",)

    def under_headings(self, context):
        first, second, third = self.params
        return {"Colour": [second], "Size": [first, third], "Help": [self.get_help_option(context)]}


@pytest.fixture
def context():
    options = [click.Option(["--width"]), click.Option(["--colour"]), click.Option(["--height"])]
    root = click.Context(click.Group("gallery"), info_name="gallery")
    return click.Context(WithHeadings("paint", params=options), parent=root, info_name="paint")


LINES = [".. option:: --width <width>", "", ".. option:: --colour <colour>", "", "    Any.", ""]
LINES += [".. option:: --height <height>", ""]


def test_options_stand_under_headings(commands, context):
    lines = list(LINES)
    commands.under_headings(None, context, lines)
    assert lines == ["**Colour**", "", *LINES[2:6], "**Size**", "", *LINES[:2], *LINES[6:]]


def test_examples_stand_below_the_usage(commands, context):
    lines = ["usage"]
    commands.with_examples(None, context, lines)
    code = [".. code-block:: shell", "", "    gallery paint --colour red", ""]
    assert lines == ["usage", ".. rubric:: Examples", "", *code]


def test_a_plain_command_stays_as_it_is(commands):
    context = click.Context(click.Command("paint", params=[click.Option(["--width"])]), info_name="paint")
    lines = list(LINES)
    commands.under_headings(None, context, lines)
    commands.with_examples(None, context, lines)
    commands.with_code(None, context, lines)
    assert lines == LINES


def test_lines_that_are_kept_are_code(commands):
    lines = ["Say it:", "", "| eval --this", "| and this", "", "Done."]
    commands.with_code(None, None, lines)
    code = [".. code-block:: shell", "", "    eval --this", "    and this", ""]
    assert lines == ["Say it:", "", *code, "", "Done."]
