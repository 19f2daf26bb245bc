"""Telling a person how far long work has come.

``progress=`` takes ``False`` (silent), ``True`` (a line on standard error, redrawn) or a
callable ``(done, total)``. The command line passes a callable that drives its own bar.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Progress", "ProgressCallback", "as_progress"]

ProgressCallback: TypeAlias = Callable[[int, int], None]
Progress: TypeAlias = bool | ProgressCallback

_REDRAW_SECONDS = 0.1


def as_progress(progress: Progress, what: str) -> ProgressCallback:
    """Return a callable ``(done, total)`` for any ``progress=`` argument.

    Parameters
    ----------
    progress : bool or callable
        As a user gave it.
    what : str
        What is counted, e.g. ``"pictures"``.
    """
    if callable(progress):
        return progress
    return _Line(what) if progress else _silent


def _silent(_done: int, _total: int) -> None:
    """Say nothing."""


class _Line:
    """Redraws one line on standard error, at most ten times a second."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._drawn_at = float("-inf")

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        is_last = done >= total
        if is_last or now - self._drawn_at >= _REDRAW_SECONDS:
            self._drawn_at = now
            end = "\n" if is_last else ""
            sys.stderr.write(f"\r{done}/{total} {self._what}{end}")
            sys.stderr.flush()
