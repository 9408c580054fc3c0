"""Tiny ONNX files in the layouts of YuNet and SFace, whose answers are known.

They are no networks for faces: the detector finds red marks, the embedder takes mean colours. Nor
do the random ones see anything; they are there to be read by two programs and compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
MARK = 8  # pixels of the red mark in the middle of a face
FACE = 32  # pixels of a face around it
# from the mark's place in the picture, in strides: eyes, nose, corners of the mouth
LANDMARKS = ((-0.7, -0.6), (1.7, -0.6), (0.5, 0.6), (-0.5, 1.7), (1.5, 1.7))


def write_mark_detector(path: Path, size: tuple[int, int] | None = None) -> Path:
    """Finds marks of pure red that fill a place of stride 8; faces are FACE pixels around them.

    ``size`` (height, width) makes it take no other.
    """
    nodes: list[Any] = []
    # red less green and blue; the input is blue, green, red, and films pale a little
    weights = np.array([-1, -1, 1], np.float32).reshape(1, 3, 1, 1) / 160
    constants = [_constant("red", weights), _constant("nothing", np.zeros(1, np.float32))]
    constants.append(_constant("list", np.array([1, -1, 1], np.int64)))
    nodes.append(helper.make_node("Conv", ["input", "red"], ["redness"], kernel_shape=[1, 1]))
    nodes.append(helper.make_node("Relu", ["redness"], ["marks"]))
    sides = np.log(np.array([FACE / 8, FACE / 8]))
    box = np.array([0.5, 0.5, *sides], np.float32).reshape(1, 1, 4)
    points = np.array(LANDMARKS, np.float32).reshape(1, 1, 10)
    for stride in STRIDES:
        window: dict[str, Any] = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes += [
            helper.make_node("AveragePool", ["marks"], [f"pooled_{stride}"], **window),
            helper.make_node("Reshape", [f"pooled_{stride}", "list"], [f"share_{stride}"]),
            helper.make_node("Mul", [f"share_{stride}", "nothing"], [f"zero_{stride}"]),
        ]
        source = f"share_{stride}" if stride == 8 else f"zero_{stride}"
        constants += [_constant(f"box_{stride}", box), _constant(f"points_{stride}", points)]
        nodes += [
            helper.make_node("Identity", [source], [f"cls_{stride}"]),
            helper.make_node("Identity", [source], [f"obj_{stride}"]),
            helper.make_node("Add", [f"zero_{stride}", f"box_{stride}"], [f"bbox_{stride}"]),
            helper.make_node("Add", [f"zero_{stride}", f"points_{stride}"], [f"kps_{stride}"]),
        ]
    return _write(path, nodes, constants, [1, 3, *(size or ("h", "w"))], _outputs())


def write_random_detector(path: Path, height: int, width: int, seed: int = 0) -> Path:
    """Every place answers with random numbers that depend on the picture."""
    random = np.random.default_rng(seed)
    nodes: list[Any] = []
    constants = []
    for stride in STRIDES:
        places = (height // stride) * (width // stride)
        for kind, count, scale in (
            ("cls", 1, 3.0),
            ("obj", 1, 3.0),
            ("bbox", 4, 1.0),
            ("kps", 10, 2.0),
        ):
            name = f"{kind}_{stride}"
            kernel = random.normal(size=(count, 3, stride, stride)) * scale / (90 * stride)
            constants += [
                _constant(f"{name}_weight", kernel.astype(np.float32)),
                _constant(f"{name}_shape", np.array([1, places, count], np.int64)),
            ]
            last = f"{name}_list" if kind in ("cls", "obj") else name
            nodes += [
                helper.make_node(
                    "Conv", ["input", f"{name}_weight"], [f"{name}_map"],
                    kernel_shape=[stride, stride], strides=[stride, stride],
                ),
                helper.make_node("Transpose", [f"{name}_map"], [f"{name}_rows"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{name}_rows", f"{name}_shape"], [last]),
            ]  # fmt: skip
            if last != name:
                nodes.append(helper.make_node("Sigmoid", [last], [name]))
    return _write(path, nodes, constants, [1, 3, height, width], _outputs())


def write_colour_embedder(path: Path) -> Path:
    """The mean red, green and blue of an aligned face, less 60."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["means"]),
        helper.make_node("Sub", ["means", "grey"], ["apart"]),
        helper.make_node("Flatten", ["apart"], ["fc1"]),
    ]
    constants = [_constant("grey", np.array([60], np.float32))]
    return _write(path, nodes, constants, [1, 3, 112, 112], [("fc1", [1, 3])], "data")


def write_random_embedder(path: Path, seed: int = 0) -> Path:
    """128 random projections of an aligned face."""
    random = np.random.default_rng(seed)
    weights = random.normal(size=(128, 3, 16, 16)).astype(np.float32) / 1000
    nodes = [
        helper.make_node(
            "Conv", ["data", "weights"], ["map"], kernel_shape=[16, 16], strides=[16, 16]
        ),
        helper.make_node("Relu", ["map"], ["some"]),
        helper.make_node("GlobalAveragePool", ["some"], ["means"]),
        helper.make_node("Flatten", ["means"], ["fc1"]),
    ]
    return _write(
        path, nodes, [_constant("weights", weights)], [1, 3, 112, 112], [("fc1", [1, 128])], "data"
    )


def draw_face(
    picture: npt.NDArray[np.uint8], column: int, row: int, colour: tuple[int, int, int]
) -> None:
    """A face in ``colour`` around the mark at this place of stride 8, into (H, W, 3)."""
    left, top = 8 * column, 8 * row
    around = (FACE - MARK) // 2 + 8
    picture[max(0, top - around) : top + 8 + around, max(0, left - around) : left + 8 + around] = (
        colour
    )
    picture[top : top + MARK, left : left + MARK] = (255, 0, 0)


def face_box(column: int, row: int) -> tuple[float, float, float, float]:
    """Where the detector must find it: left, top, width, height in pixels."""
    return 8 * column + 4 - FACE / 2, 8 * row + 4 - FACE / 2, float(FACE), float(FACE)


def _outputs() -> list[tuple[str, Sequence[int | str]]]:
    sizes = (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
    return [
        (f"{kind}_{stride}", [1, f"n{stride}", size]) for kind, size in sizes for stride in STRIDES
    ]


def _constant(name: str, values: npt.NDArray[Any]) -> Any:
    return numpy_helper.from_array(values, name)


def _write(
    path: Path,
    nodes: Sequence[Any],
    constants: Sequence[Any],
    shape: Sequence[int | str],
    outputs: Sequence[tuple[str, Sequence[int | str]]],
    name: str = "input",
) -> Path:
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, size) for end, size in outputs]
    start = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(list(nodes), "double", [start], ends, initializer=list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
