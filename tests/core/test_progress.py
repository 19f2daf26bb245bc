from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lookalike.core.progress import as_progress

if TYPE_CHECKING:
    import pytest


def test_false_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    report = as_progress(False, "pictures")
    report(1, 2)
    report(2, 2)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_callable_is_called_with_done_and_total() -> None:
    calls: list[tuple[int, int]] = []
    report = as_progress(lambda done, total: calls.append((done, total)), "pictures")
    report(1, 2)
    report(2, 2)
    assert calls == [(1, 2), (2, 2)]


def test_true_redraws_one_line_on_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([100.0, 100.2, 100.4])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    report = as_progress(True, "pictures")
    for done in (1, 2, 3):
        report(done, 3)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "\r1/3 pictures\r2/3 pictures\r3/3 pictures\n"


def test_a_line_is_redrawn_at_most_ten_times_a_second_but_always_ended(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)  # time stands still
    report = as_progress(True, "rows")
    for done in range(1, 1001):
        report(done, 1000)
    assert capsys.readouterr().err == "\r1/1000 rows\r1000/1000 rows\n"


def test_no_work_at_all_ends_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    as_progress(True, "rows")(0, 0)
    assert capsys.readouterr().err == "\r0/0 rows\n"
