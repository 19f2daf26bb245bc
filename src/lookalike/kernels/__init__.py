"""The compiled kernel levels: which there are, which is used, and how to force one.

The strongest level that this CPU runs is used, unless ``LOOKALIKE_KERNELS`` names another
or a ``with lookalike.kernels.use(name):`` block is open. Every level returns the same bits.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING

from lookalike.core.errors import KernelLevelError

try:
    from lookalike.kernels import _compiled
except ImportError as error:
    raise ImportError(
        "the compiled module of Lookalike is missing, or was built for another Python than "
        f"{sys.version.split()[0]} on {sys.platform}: reinstall it with this interpreter, "
        f"{sys.executable or 'python'} -m pip install --force-reinstall lookalike "
        "(in a checkout: pip install .)"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["active", "available", "levels", "use"]

_forced: ContextVar[str | None] = ContextVar("lookalike_kernel_level", default=None)


@functools.cache
def levels() -> tuple[str, ...]:
    """Return the names of all levels in this build, weakest first."""
    return tuple(_compiled.level_names())


@functools.cache
def available() -> tuple[str, ...]:
    """Return the names of the levels that this CPU can run, weakest first."""
    return tuple(name for name in levels() if _compiled.is_usable(name))


def active() -> str:
    """Return the name of the level that a call made now would use.

    Raises
    ------
    KernelLevelError
        ``LOOKALIKE_KERNELS`` names a level that is unknown or cannot run here.
    """
    forced = _forced.get()
    if forced is not None:
        return forced
    setting = os.environ.get("LOOKALIKE_KERNELS", "").strip()
    return _checked(setting, "LOOKALIKE_KERNELS: ") if setting else available()[-1]


@contextlib.contextmanager
def use(level: str) -> Iterator[None]:
    """Force a level within a ``with`` block, in this thread or task only.

    Parameters
    ----------
    level : str
        One of :func:`available`.

    Raises
    ------
    KernelLevelError
        The level is unknown, or this CPU cannot run it.
    """
    token = _forced.set(_checked(level, ""))
    try:
        yield
    finally:
        _forced.reset(token)


def _checked(level: str, origin: str) -> str:
    if level not in levels():
        raise KernelLevelError(
            f"{origin}kernel level {level!r} is not one of {', '.join(levels())}"
        )
    if level not in available():
        raise KernelLevelError(
            f"{origin}this CPU cannot run kernel level {level!r}; it runs {', '.join(available())}"
        )
    return level
