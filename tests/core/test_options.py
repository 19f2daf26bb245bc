from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import lookalike as la
from lookalike.core.options import as_k, as_radius, as_threads


@pytest.mark.parametrize("k", [1, np.int8(1), np.uint64(1), True])
def test_k_is_any_whole_number(k: Any) -> None:
    assert as_k(k) == 1
    assert type(as_k(k)) is int


def test_k_may_be_larger_than_any_machine_integer() -> None:
    assert as_k(10**30) == 10**30
    assert la.nearest([1.0], [[2.0], [1.0]], 10**30, metric="euclidean").ids.tolist() == [1, 0]


@pytest.mark.parametrize("k", [0, -1, np.int64(-7), -(10**30)])
def test_k_below_one_is_refused_with_its_value(k: Any) -> None:
    with pytest.raises(la.ParameterError, match=f"k must be at least 1, not {k}$"):
        la.nearest([1.0], [[1.0]], k)


@pytest.mark.parametrize("k", [1.0, "3", None, [1], np.float32(2), Fraction(2)])
def test_k_that_is_not_a_whole_number_is_refused_with_its_value(k: Any) -> None:
    with pytest.raises(la.ParameterError, match="k must be a whole number") as caught:
        la.nearest_batch([[1.0]], [[1.0]], k)
    assert repr(k) in str(caught.value)


@pytest.mark.parametrize(
    ("radius", "value"),
    [
        (0, 0.0),
        (-1, -1.0),
        (np.float32(0.5), 0.5),
        (Fraction(1, 4), 0.25),
        (float("inf"), float("inf")),
        (float("-inf"), float("-inf")),
        (np.float64(1e300), 1e300),
    ],
)
def test_a_radius_is_any_number_and_may_be_infinite(radius: Any, value: float) -> None:
    assert as_radius(radius) == value


@pytest.mark.parametrize("radius", ["0.5", b"1", None, [1, 2], 1j, 10**400])
def test_a_radius_that_is_not_a_number_is_refused_with_its_value(radius: Any) -> None:
    with pytest.raises(la.ParameterError, match="radius must be a number") as caught:
        la.within([1.0], [[1.0]], radius)
    assert repr(radius) in str(caught.value)


def test_a_nan_radius_is_refused() -> None:
    nans: list[Any] = [float("nan"), np.float32("nan")]
    for radius in nans:
        with pytest.raises(la.ParameterError, match="radius is NaN"):
            la.within_batch([[1.0]], [[1.0]], radius)


def test_threads_are_the_affinity_mask_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LOOKALIKE_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 8}, raising=False)
    assert as_threads(None) == 3
    for empty in ("", "  "):
        monkeypatch.setenv("LOOKALIKE_THREADS", empty)
        assert as_threads(None) == 3
    monkeypatch.setenv("LOOKALIKE_THREADS", " 7 ")
    assert as_threads(None) == 7
    assert as_threads(2) == 2  # said in the call: the environment does not matter


def test_where_affinity_is_unknown_all_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKALIKE_THREADS", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert as_threads(None) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert as_threads(None) == 1


@pytest.mark.parametrize("setting", ["0", "-1", "two", "1.5", "+2"])
def test_a_thread_setting_that_is_no_number_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("LOOKALIKE_THREADS", setting)
    with pytest.raises(la.ParameterError) as caught:
        la.distances([1.0], [[1.0]])
    assert f"LOOKALIKE_THREADS={setting!r}" in str(caught.value)


@pytest.mark.parametrize("n_threads", [0, -1, 1.5, "2"])
def test_a_number_of_threads_below_one_or_not_whole_is_refused(n_threads: Any) -> None:
    with pytest.raises(la.ParameterError, match="n_threads must be") as caught:
        la.distances([1.0], [[1.0]], n_threads=n_threads)
    assert str(n_threads) in str(caught.value)


def test_more_threads_than_work_or_cores_are_harmless() -> None:
    group = np.eye(40, dtype=np.float32)
    few = la.nearest_batch(group, group, 3, n_threads=1)
    many = la.nearest_batch(group, group, 3, n_threads=10**9)
    assert few.ids.tolist() == many.ids.tolist()


@pytest.mark.parametrize("function", [la.distances, la.nearest])
def test_an_unknown_implementation_is_refused_by_name(function: Any) -> None:
    with pytest.raises(la.ParameterError, match="'cython' is not one of 'compiled', 'numpy'"):
        function([1.0], [[1.0]], implementation="cython")
