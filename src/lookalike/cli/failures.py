"""From exceptions to one sentence on standard error and an exit status."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn, ParamSpec

from lookalike.cli.output import printable
from lookalike.core.errors import FormatError, LookalikeError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BAD_INPUT",
    "DAMAGED",
    "INTERRUPTED",
    "NOTHING_FOUND",
    "fail",
    "reports_failures",
    "say",
    "say_warnings",
    "sentence",
]

NOTHING_FOUND = 1
BAD_INPUT = 2
DAMAGED = 3
INTERRUPTED = 130

P = ParamSpec("P")


def say(text: str) -> None:
    """Tell the person something that is not a result."""
    with suppress(OSError):  # where nobody can hear, the exit status still speaks
        print(printable(text), file=sys.stderr)  # noqa: T201 - the command line talks


def say_warnings() -> None:
    """Show warnings as sentences, without the line of code that they come from."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        say(f"lookalike: {message}")

    warnings.showwarning = show
    # Pillow warns of odd metadata without naming the file; whether the pixels could be read
    # is told by us.
    warnings.filterwarnings("ignore", module=r"PIL\.")


def fail(message: str, status: int) -> NoReturn:
    """Say why, and exit."""
    say(f"lookalike: {message}")
    sys.exit(status)


def sentence(error: Exception) -> str:
    """Return what an exception says, for people."""
    if isinstance(error, OSError) and not isinstance(error, LookalikeError) and error.strerror:
        return f"{error.filename or 'the output'}: {error.strerror}"
    return " ".join([str(error), *getattr(error, "__notes__", ())])


def reports_failures(command: Callable[P, int]) -> Callable[P, None]:
    """Make a command exit with the status it returns, or with that of its exception."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            status = command(*args, **kwargs)
            sys.stdout.flush()
        except KeyboardInterrupt as error:
            fail(" ".join(["interrupted", *getattr(error, "__notes__", ())]), INTERRUPTED)
        except BrokenPipeError:
            # The reader has seen enough (| head); nothing more can be flushed.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = 0
        except FormatError as error:
            fail(sentence(error), DAMAGED)
        except (LookalikeError, OSError) as error:
            fail(sentence(error), BAD_INPUT)
        sys.exit(status)

    return wrapped
