"""What `--help` looks like: options under headings, examples at the end.

On a terminal rich-click draws the page; anywhere else it is plain text, for which rich is not even imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click
from rich_click import RichCommand, RichContext, RichHelpConfiguration, RichOptionPanel

from gbdt_pwiser.cli._headings import HEADINGS, OUTPUT
from gbdt_pwiser.cli._telling import is_terminal, telling

_WIDEST: Final = 110
_CONFIG: Final[dict[str, Any]] = {
    "theme": "default-slim",
    "text_markup": None,
    "max_width": _WIDEST,
    "options_table_column_types": ["opt_long_metavar", "help"],
}


class _Context(RichContext):
    def make_formatter(self, error_mode: bool = False) -> Any:
        if is_terminal():
            return super().make_formatter(error_mode)
        return click.HelpFormatter(width=self.terminal_width, max_width=_WIDEST)


class Command(RichCommand):
    """A command whose options stand under headings, and which ends its help with examples.

    Parameters
    ----------
    examples
        Whole command lines, without the name of the program.
    """

    context_class = _Context

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **options: Any) -> None:
        settings = {"rich_help_config": RichHelpConfiguration.load_from_globals(**_CONFIG)}
        super().__init__(*arguments, context_settings=settings, **options)
        self.examples = tuple(examples)
        if self.examples:  # for what else reads a command, such as a site; a page is written below
            self.epilog = "\n".join(["\b", "Examples:", *(f"  gbdt-pwiser {line}" for line in examples)])

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return --help, which stands with what else there is to see."""
        found = super().get_help_option(ctx)  # type: ignore[arg-type]
        if found is not None:
            found.panel = OUTPUT  # type: ignore[attr-defined]
        return found

    def under_headings(self, ctx: click.Context) -> dict[str, list[click.Parameter]]:
        """Return the options by heading, in the order of `HEADINGS`."""
        found: dict[str, list[click.Parameter]] = {heading: [] for heading in HEADINGS}
        for param in self.get_params(ctx):
            if isinstance(param, click.Option):
                found[getattr(param, "panel", None) or OUTPUT].append(param)
        return {heading: params for heading, params in found.items() if params}

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the page, rich or plain."""
        if is_terminal():
            self.panels = [RichOptionPanel(heading) for heading in self.under_headings(ctx)]
            super().format_help(ctx, formatter)  # type: ignore[arg-type]
        else:
            click.Command.format_usage(self, ctx, formatter)
            click.Command.format_help_text(self, ctx, formatter)
            for heading, params in self.under_headings(ctx).items():
                with formatter.section(heading):
                    records = (param.get_help_record(ctx) for param in params)
                    formatter.write_dl([record for record in records if record], col_max=32)
            self.format_epilog(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        lines = [f"{ctx.find_root().info_name} {example}" for example in self.examples]
        if not lines:
            return
        if is_terminal():
            from rich.text import Text

            formatter.write(Text("Examples:", style="bold"))  # type: ignore[arg-type]
            for line in lines:
                formatter.write(Text("  " + line, style="cyan"), soft_wrap=True)  # type: ignore[arg-type,call-arg]
        else:
            formatter.write("\nExamples:\n" + "".join(f"  {line}\n" for line in lines))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, telling as much as --quiet and --verbose say."""
        with telling(ctx):
            return super().invoke(ctx)


class Group(Command, click.Group):  # type: ignore[misc]
    """A command of commands: these are told in its help without being imported.

    Parameters
    ----------
    purposes
        What each command is for, by its name.
    """

    def __init__(self, *arguments: Any, purposes: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.purposes = purposes

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self.purposes)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is named, which tells for itself."""
        return click.Group.invoke(self, ctx)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the page, rich or plain."""
        if not is_terminal():
            click.Command.format_usage(self, ctx, formatter)
            click.Command.format_help_text(self, ctx, formatter)
            click.Command.format_options(self, ctx, formatter)
            with formatter.section("Commands"):
                formatter.write_dl(list(self.purposes.items()))
            return
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        RichCommand.format_usage(self, ctx, formatter)
        RichCommand.format_help_text(self, ctx, formatter)  # type: ignore[arg-type]
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold cyan", no_wrap=True)
        for name, purpose in self.purposes.items():
            table.add_row(name, purpose)
        formatter.write(Text("Commands:", style="bold"))  # type: ignore[arg-type]
        formatter.write(Padding(table, (0, 0, 0, 2)))  # type: ignore[arg-type]


def command(examples: Sequence[str]) -> Callable[[Callable[..., Any]], Command]:
    """Make a `Command` of a function, with the name of the function."""
    return click.command(cls=Command, examples=examples)
