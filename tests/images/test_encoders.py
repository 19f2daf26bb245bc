from __future__ import annotations

import copy
import pickle
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image

import lookalike as la
from lookalike.images import CallableEncoder, OnnxEncoder, Preprocessing

if TYPE_CHECKING:
    from pathlib import Path

PLAIN: dict[str, Any] = {"mean": (0, 0, 0), "std": (1, 1, 1), "resize_side": 8}


def averaging_model(layout: str = "NCHW", *, is_flat: bool = True) -> bytes:
    """A model whose embedding is the mean of each colour, and twice that as second output."""
    axes = [2, 3] if layout == "NCHW" else [1, 2]
    side: list[str | int | None] = ["n", 3, 8, 8] if layout == "NCHW" else ["n", 8, 8, 3]
    nodes = [
        helper.make_node("ReduceMean", ["pictures"], ["mean"], axes=axes, keepdims=not is_flat),
        helper.make_node("Add", ["mean", "mean"], ["double"]),
    ]
    graph = helper.make_graph(
        nodes,
        "averaging",
        [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, side)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            for name in ("mean", "double")
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


# Channels last leave nothing to flatten.
@pytest.mark.parametrize(("layout", "is_flat"), [("NCHW", True), ("NCHW", False), ("NHWC", True)])
def test_any_onnx_model_can_be_the_encoder(layout: Any, is_flat: bool) -> None:  # noqa: FBT001
    model = averaging_model(layout, is_flat=is_flat)
    encoder = OnnxEncoder(model, input_size=8, layout=layout, **PLAIN)
    picture = Image.new("RGB", (20, 9), (51, 102, 255))
    assert np.allclose(encoder.encode([picture] * 3), [[0.2, 0.4, 1.0]] * 3, atol=1e-6)


def test_mean_and_deviation_are_for_pixels_from_0_to_1() -> None:
    settings: dict[str, Any] = {"mean": (0.2, 0.4, 0.5), "std": (0.1, 0.2, 0.5), "resize_side": 8}
    encoder = OnnxEncoder(averaging_model(), input_size=8, **settings)
    picture = Image.new("RGB", (8, 8), (51, 102, 255))
    assert np.allclose(encoder.encode([picture]), [[0, 0, 1]], atol=1e-6)


def test_the_output_can_be_named() -> None:
    picture = Image.new("RGB", (8, 8), (51, 102, 255))
    double = OnnxEncoder(averaging_model(), input_size=8, output="double", **PLAIN)
    assert np.allclose(double.encode([picture]), [[0.4, 0.8, 2.0]], atol=1e-6)
    with pytest.raises(la.EncoderError, match="no output 'triple', only"):
        OnnxEncoder(averaging_model(), input_size=8, output="triple", **PLAIN)


def test_identity_tells_models_and_preprocessings_apart(tmp_path: Path) -> None:
    path = tmp_path / "tower.onnx"
    path.write_bytes(averaging_model())
    encoder = OnnxEncoder(path, input_size=8, **PLAIN)
    assert encoder.identity == OnnxEncoder(path, input_size=8, **PLAIN).identity
    assert encoder.identity.name == "tower"
    others = [
        OnnxEncoder(averaging_model("NHWC"), input_size=8, layout="NHWC", **PLAIN),
        OnnxEncoder(path, input_size=8, output="double", **PLAIN),
        OnnxEncoder(path, input_size=8, resize_side=10, mean=(0, 0, 0), std=(1, 1, 1)),
        OnnxEncoder(path, input_size=8, resize_side=8, mean=(0, 0, 0.5), std=(1, 1, 1)),
    ]
    assert len({encoder.identity.hash, *(other.identity.hash for other in others)}) == 5


def test_models_that_cannot_be_loaded_are_named(tmp_path: Path) -> None:
    with pytest.raises(la.EncoderError, match=r"missing\.onnx cannot be read"):
        OnnxEncoder(tmp_path / "missing.onnx")
    path = tmp_path / "damaged.onnx"
    path.write_bytes(averaging_model()[:100])
    with pytest.raises(la.EncoderError, match="damaged is not a usable ONNX model"):
        OnnxEncoder(path)


def test_a_model_of_another_input_size_fails_by_name() -> None:
    encoder = OnnxEncoder(averaging_model(), input_size=16, **{**PLAIN, "resize_side": 16})
    with pytest.raises(la.EncoderError, match="model failed"):
        encoder.encode([Image.new("RGB", (8, 8))])


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"input_size": 0}, "at least 1"),
        ({"resize_side": 4}, "at least input_size=8"),
        ({"std": (1, 0, 1)}, "above 0"),
        ({"mean": (0.5, 0.5)}, "three numbers"),
        ({"mean": (127, 127, 127)}, "divide by 255"),
        ({"layout": "CHWN"}, "not one of"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    settings: dict[str, Any], complaint: str
) -> None:
    sound: dict[str, Any] = {"input_size": 8, **PLAIN, **settings}
    with pytest.raises(la.EncoderError, match=complaint):
        Preprocessing(**sound)


def test_very_long_pictures_are_cut_before_they_are_enlarged() -> None:
    prepare = Preprocessing(224, 256, (0, 0, 0), (1, 1, 1))
    for size in ((1, 10_000), (10_000, 1), (3, 100_000)):
        assert prepare([Image.new("RGB", size, "red")]).shape == (1, 3, 224, 224)


def test_the_crop_is_the_middle() -> None:
    picture = Image.new("RGB", (64, 16), "red")
    picture.paste((0, 0, 255), (24, 0, 40, 16))
    assert set(Preprocessing(16, 16, (0, 0, 0), (1, 1, 1)).crop(picture).tobytes()) == {0, 255}
    middle = np.asarray(Preprocessing(16, 16, (0, 0, 0), (1, 1, 1)).crop(picture))
    assert (middle == [0, 0, 255]).all()


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (np.zeros(3), r"array of shape \(3,\); \(2, dim\) expected"),
        (np.zeros((3, 4)), "array of shape"),
        (np.zeros((2, 0)), "array of shape"),
        ([[1.0, np.nan], [0.0, 0.0]], "NaN"),
        ([[1e300, 0.0], [0.0, 0.0]], "infinity"),
        ([["a"], ["b"]], "no array of numbers"),
        ([[1.0], [1.0, 2.0]], "no array of numbers"),
        ([[1j], [2j]], "no array of numbers"),
        (None, "array of shape"),
    ],
)
def test_a_function_that_answers_nonsense_is_named(answer: Any, complaint: str) -> None:
    encoder = CallableEncoder(lambda _: answer, name="mine", version="1")
    with pytest.raises(la.EncoderError, match=f"mine answered.*{complaint}"):
        encoder.encode([Image.new("RGB", (2, 2))] * 2)


def test_a_function_is_called_by_one_thread_at_a_time_unless_it_allows_more() -> None:
    inside, most, gate = 0, 0, threading.Barrier(2, timeout=20)

    def encode(pictures: list[Image.Image]) -> np.ndarray:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        if is_thread_safe:
            gate.wait()  # passes only when both are inside
        inside -= 1
        return np.ones((len(pictures), 2))

    for is_thread_safe in (False, True):
        most = 0
        encoder = CallableEncoder(encode, name="f", version="1", is_thread_safe=is_thread_safe)
        arguments = [Image.new("RGB", (2, 2))]
        threads = [threading.Thread(target=encoder.encode, args=(arguments,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == (2 if is_thread_safe else 1)


def test_the_version_of_a_function_is_its_identity() -> None:
    one, same, two = (
        CallableEncoder(lambda _: [], name="f", version=version) for version in ("1", "1", "2")
    )
    assert one.identity == same.identity != two.identity


def model_of(nodes: list[Any], inputs: dict[str, list[Any]], outputs: list[str]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in inputs.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def test_a_model_for_one_picture_at_a_time_takes_any_number() -> None:
    nodes = [helper.make_node("ReduceMean", ["pictures"], ["mean"], axes=[2, 3], keepdims=False)]
    encoder = OnnxEncoder(
        model_of(nodes, {"pictures": [1, 3, 8, 8]}, ["mean"]), input_size=8, **PLAIN
    )
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    assert np.array_equal(encoder.encode(pictures), np.eye(3))


@pytest.mark.parametrize("names", [[], ["pictures", "masks"]])
def test_a_model_without_one_input_is_refused(names: list[str]) -> None:
    constant = helper.make_tensor("value", TensorProto.FLOAT, [1], [1.0])
    nodes = [helper.make_node("Constant", [], ["start"], value=constant)]
    nodes += [helper.make_node("Sum", ["start", *names], ["sum"])]
    model = model_of(nodes, {name: ["n", 3, 8, 8] for name in names}, ["sum"])
    with pytest.raises(la.EncoderError, match="must have one input, not"):
        OnnxEncoder(model, input_size=8, **PLAIN)


def test_a_model_that_answers_with_infinities_is_named() -> None:
    nodes = [
        helper.make_node("ReduceMean", ["pictures"], ["mean"], axes=[2, 3], keepdims=False),
        helper.make_node("Log", ["mean"], ["logarithm"]),
    ]
    model = model_of(nodes, {"pictures": ["n", 3, 8, 8]}, ["logarithm"])
    encoder = OnnxEncoder(model, input_size=8, name="tower", **PLAIN)
    with pytest.raises(la.EncoderError, match="tower answered with a NaN or an infinity"):
        encoder.encode([Image.new("RGB", (8, 8), "black")])


def test_what_a_function_raises_passes_through() -> None:
    def fail(_pictures: list[Image.Image]) -> Any:
        raise ZeroDivisionError("mine")

    encoder = CallableEncoder(fail, name="f", version="1")
    for _ in range(2):  # and its lock goes back
        with pytest.raises(ZeroDivisionError, match="mine"):
            encoder.encode([Image.new("RGB", (2, 2))])


def test_encoders_can_be_copied() -> None:
    picture = Image.new("RGB", (8, 8), (51, 102, 255))
    onnx = OnnxEncoder(averaging_model(), input_size=8, **PLAIN)
    function = CallableEncoder(np.asarray, name="f", version="1")
    for encoder in (onnx, function):
        copied = pickle.loads(pickle.dumps(encoder))
        assert copied.identity == encoder.identity
    assert np.array_equal(
        pickle.loads(pickle.dumps(onnx)).encode([picture]), onnx.encode([picture])
    )
    assert copy.deepcopy(function)._lock is not function._lock
