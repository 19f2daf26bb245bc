"""The lock of a writer, which a forked child finds free."""

from __future__ import annotations

import os
import threading
from weakref import WeakSet

__all__ = ["WriterLock"]


class WriterLock:
    """A lock for one writer at a time.

    A thread that holds it does not exist in a forked child, where nobody would release
    it. What it guards is published in one step, so the child has a whole state, and may
    start with a free lock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        _every.add(self)

    def acquire(self, *, blocking: bool = True) -> bool:
        """Acquire the lock; return whether it was, which may fail if ``blocking`` is False."""
        return self._lock.acquire(blocking=blocking)

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Forget whoever holds it."""
        self._lock = threading.Lock()


_every: WeakSet[WriterLock] = WeakSet()


def _renew_all() -> None:
    for lock in _every:
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
