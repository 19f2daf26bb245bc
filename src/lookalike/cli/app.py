"""The commands, put together."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, NoReturn

import lookalike
from lookalike.core.errors import MissingExtraError

try:
    import typer
except ImportError as error:
    raise MissingExtraError("the command line", "typer", "cli") from error

from lookalike.cli.demo import demo
from lookalike.cli.distance import distance
from lookalike.cli.failures import BAD_INPUT, INTERRUPTED, fail, say_warnings, sentence
from lookalike.cli.index import index
from lookalike.cli.info import info
from lookalike.cli.output import prepare_streams, print_lines
from lookalike.cli.search import search

if TYPE_CHECKING:
    from typing import Any

__all__ = ["app", "run"]

# Typer shows only some of its usage errors; this is the root of them all.
_UsageError: type[Any] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="lookalike",
    help=(
        "How far is this picture from a group of others, and which of them are nearest?\n\n"
        "Index a folder of pictures once, then search it with any picture. Answers are exact. "
        "Wherever a FOLDER is expected, a .npy file of vectors works too.\n\n"
        "Results go to standard output, everything else to standard error. "
        "Exit status: 0 done, 1 nothing found, 2 bad usage or bad input, 3 a damaged gallery, "
        "130 interrupted."
    ),
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (index, search, distance, info, demo):
    app.command()(command)


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    *,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        print_lines([f"lookalike {lookalike.__version__}"])
        raise typer.Exit
    if context.invoked_subcommand is None:
        # Help that nobody asked for is not a result.
        with redirect_stdout(sys.stderr):
            print_lines([context.get_help()])
        raise typer.Exit(BAD_INPUT)


def run() -> NoReturn:
    """Run the command that the arguments ask for; exits with its status."""
    prepare_streams()
    say_warnings()
    try:
        status = app(prog_name="lookalike", standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except _UsageError as error:
        where = error.ctx.command_path if error.ctx else "lookalike"
        what = error.format_message().rstrip(".")
        fail(f"{what} (see {where} --help)", BAD_INPUT)
    except OSError as error:  # help and version, printed where nothing can be written
        fail(sentence(error), BAD_INPUT)
    sys.exit(status)
