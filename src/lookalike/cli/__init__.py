"""The command line: ``lookalike``."""

import sys

from lookalike.core.errors import MissingExtraError

__all__ = ["main"]


def main() -> None:
    """Run the command line; exits with one of the statuses that ``--help`` lists."""
    try:
        from lookalike.cli.app import run  # noqa: PLC0415 - Typer may be missing
    except MissingExtraError as error:
        print(f"lookalike: {error}", file=sys.stderr)  # noqa: T201 - the command line talks
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    run()
