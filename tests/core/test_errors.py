from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest

import lookalike as la
from lookalike.core import errors

BUILTINS = {
    "ShapeError": ValueError,
    "DtypeError": TypeError,
    "NonFiniteError": ValueError,
    "RangeError": OverflowError,
    "MetricError": ValueError,
    "ParameterError": ValueError,
    "EmptyGroupError": ValueError,
    "DegenerateGroupError": ValueError,
    "IdTypeError": TypeError,
    "DuplicateIdError": ValueError,
    "UnknownIdError": KeyError,
    "KernelLevelError": ValueError,
    "MissingExtraError": ImportError,
    "PictureError": ValueError,
    "EncoderError": ValueError,
    "EncoderMismatchError": ValueError,
    "GalleryBusyError": BlockingIOError,
    "GalleryNotFoundError": FileNotFoundError,
    "FormatError": ValueError,
}
CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, la.LookalikeError)
]


@pytest.mark.parametrize(("name", "builtin"), BUILTINS.items())
def test_each_error_is_also_the_builtin_that_a_caller_expects(name: str, builtin: Any) -> None:
    error = getattr(errors, name)
    assert issubclass(error, la.LookalikeError)
    assert issubclass(error, builtin)


@pytest.mark.parametrize("error", CLASSES)
def test_each_error_is_listed_documented_and_in_the_tree(error: Any) -> None:
    assert error.__name__ in errors.__all__
    assert error.__doc__
    assert errors.__doc__
    assert f" {error.__name__} " in errors.__doc__.replace("\n", " ")
    assert error.__name__ in BUILTINS or error is la.LookalikeError


def made(error: Any) -> Any:
    if error is la.MissingExtraError:
        return la.MissingExtraError("reading pictures", "Pillow", "images")
    return error("value 7 is wrong; pass another")


@pytest.mark.parametrize("error", CLASSES)
def test_each_error_survives_pickle_and_copy(error: Any) -> None:
    original = made(error)
    for again in (pickle.loads(pickle.dumps(original)), copy.deepcopy(original)):
        assert type(again) is type(original)
        assert str(again) == str(original)
        assert vars(again) == vars(original)


def test_a_missing_extra_says_what_to_type() -> None:
    error = la.MissingExtraError("reading pictures", "Pillow", "images")
    assert str(error) == (
        "reading pictures needs the package 'Pillow', which is not installed: "
        "pip install 'lookalike[images]'"
    )
    assert (error.feature, error.package, error.extra) == ("reading pictures", "Pillow", "images")


def test_an_unknown_id_reads_as_a_sentence_although_it_is_a_key_error() -> None:
    assert str(la.UnknownIdError("id 7 is not in the index")) == "id 7 is not in the index"


@pytest.mark.parametrize(
    ("call", "error", "values"),
    [
        (lambda: la.nearest([1], [[1]], -3), la.ParameterError, ["-3"]),
        (lambda: la.distances([1], [[1, 2]]), la.ShapeError, ["1", "2"]),
        (lambda: la.distances([1], [["x"]]), la.DtypeError, ["group", "<U1"]),
        (
            lambda: la.distances([1.0], [[1.0], [float("nan")]]),
            la.NonFiniteError,
            ["row 1", "1 of 2"],
        ),
        (lambda: la.distances([1], [[1e39]]), la.RangeError, ["row 0", "1 of 1"]),
        (
            lambda: la.distances([3e38], [[-3e38]], metric="manhattan"),
            la.RangeError,
            ["manhattan", "row 0"],
        ),
        (lambda: la.metrics.resolve("ip"), la.MetricError, ["'ip'", "cosine"]),
        (lambda: la.group_distance([1], []), la.EmptyGroupError, ["no members"]),
        (
            lambda: la.group_distance([1], [[1]], linkage="mahalanobis"),
            la.DegenerateGroupError,
            ["1 member"],
        ),
        (lambda: la.kernels.use("sse9").__enter__(), la.KernelLevelError, ["'sse9'", "scalar"]),
    ],
)
def test_messages_carry_the_offending_values(call: Any, error: Any, values: list[str]) -> None:
    with pytest.raises(error) as caught:
        call()
    for value in values:
        assert value in str(caught.value)
