"""From exceptions to one sentence on standard error and an exit status."""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING, NoReturn, ParamSpec

from lookalike.core.errors import FormatError, LookalikeError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BAD_INPUT", "DAMAGED", "INTERRUPTED", "NOTHING_FOUND", "reports_failures", "say"]

NOTHING_FOUND = 1
BAD_INPUT = 2
DAMAGED = 3
INTERRUPTED = 130

P = ParamSpec("P")


def say(text: str) -> None:
    """Tell the person something that is not a result."""
    print(text, file=sys.stderr)  # noqa: T201 - the command line talks


def reports_failures(command: Callable[P, int]) -> Callable[P, None]:
    """Make a command exit with the status it returns, or with that of its exception."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            status = command(*args, **kwargs)
            sys.stdout.flush()
        except KeyboardInterrupt:
            _fail("interrupted; what was done is kept", INTERRUPTED)
        except BrokenPipeError:
            # The reader has seen enough (| head); nothing more can be flushed.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = 0
        except FormatError as error:
            _fail(_sentence(error), DAMAGED)
        except (LookalikeError, OSError) as error:
            _fail(_sentence(error), BAD_INPUT)
        sys.exit(status)

    return wrapped


def _fail(message: str, status: int) -> NoReturn:
    say(f"lookalike: {message}")
    sys.exit(status)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, LookalikeError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join([str(error), *getattr(error, "__notes__", ())])
