"""Checking the options that many functions share."""

from __future__ import annotations

import math
import operator
import os
from typing import SupportsFloat, SupportsIndex

from lookalike.core.errors import ParameterError

__all__ = ["as_dim", "as_k", "as_radius", "as_recall", "as_threads"]


def as_k(k: SupportsIndex) -> int:
    """Return ``k`` as an int of at least 1.

    Raises
    ------
    ParameterError
        ``k`` is not a whole number, or is below 1.
    """
    return _at_least_one(k, "k")


def as_dim(dim: SupportsIndex) -> int:
    """Return a dimension as an int of at least 1.

    Raises
    ------
    ParameterError
        ``dim`` is not a whole number, or is below 1.
    """
    return _at_least_one(dim, "dim")


def _at_least_one(value: SupportsIndex, name: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise ParameterError(
            f"{name} must be a whole number of at least 1, not {value!r}"
        ) from None
    if number < 1:
        raise ParameterError(f"{name} must be at least 1, not {number}")
    return number


def as_radius(radius: SupportsFloat) -> float:
    """Return ``radius`` as a float; infinite is allowed, NaN is not.

    Raises
    ------
    ParameterError
        ``radius`` is not a number, or is NaN.
    """
    if isinstance(radius, (str, bytes)):  # float() would parse them
        raise ParameterError(f"radius must be a number, not {radius!r}")
    try:
        number = float(radius)
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(f"radius must be a number, not {radius!r}") from None
    if math.isnan(number):
        raise ParameterError("radius is NaN; it must be a number (infinity is allowed)")
    return number


def as_recall(recall: SupportsFloat) -> float:
    """Return ``recall`` as a float in (0, 1].

    Raises
    ------
    ParameterError
        It is not a number, or is not in (0, 1].
    """
    if isinstance(recall, (str, bytes)):  # float() would parse them
        raise ParameterError(f"recall must be a number in (0, 1], not {recall!r}")
    try:
        number = float(recall)
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(f"recall must be a number in (0, 1], not {recall!r}") from None
    if not 0.0 < number <= 1.0:
        raise ParameterError(f"recall must be in (0, 1], not {number}; 1.0 is the exact answer")
    return number


def as_threads(n_threads: SupportsIndex | None) -> int:
    """Return the number of threads to use, at least 1.

    ``None`` means ``LOOKALIKE_THREADS`` where that is set, else every core that this
    process may run on (its affinity mask).

    Raises
    ------
    ParameterError
        The number, or the environment variable, is not a whole number of at least 1.
    """
    if n_threads is None:
        setting = os.environ.get("LOOKALIKE_THREADS", "").strip()
        if not setting:
            return _available_cores()
        if not setting.isdecimal() or int(setting) < 1:
            raise ParameterError(
                f"LOOKALIKE_THREADS={setting!r} is not a number of threads of at least 1"
            )
        return int(setting)
    try:
        number = operator.index(n_threads)
    except TypeError:
        raise ParameterError(f"n_threads must be a whole number, not {n_threads!r}") from None
    if number < 1:
        raise ParameterError(f"n_threads must be at least 1 (or None for all), not {number}")
    return number


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
