"""The commands, put together."""

from __future__ import annotations

import sys

from lookalike.core.errors import MissingExtraError

try:
    import typer
except ImportError as error:
    raise MissingExtraError("the command line", "typer", "cli") from error

from lookalike.cli.demo import demo
from lookalike.cli.distance import distance
from lookalike.cli.index import index
from lookalike.cli.info import info
from lookalike.cli.search import search

__all__ = ["app", "main"]

app = typer.Typer(
    name="lookalike",
    help=(
        "How far is this picture from a group of others, and which of them are nearest?\n\n"
        "Index a folder of pictures once, then search it with any picture. Answers are exact. "
        "Wherever a FOLDER is expected, a .npy file of vectors works too.\n\n"
        "Exit status: 0 done, 1 nothing found, 2 bad usage or bad input, 3 a damaged gallery, "
        "130 interrupted."
    ),
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (index, search, distance, info, demo):
    app.command()(command)


@app.callback(invoke_without_command=True)
def _top(
    *,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        import lookalike  # noqa: PLC0415 - the whole library, for its version alone

        typer.echo(f"lookalike {lookalike.__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; exits with one of the statuses that ``--help`` lists."""
    # Names of files need not be UTF-8; they come out as the bytes that they are.
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
