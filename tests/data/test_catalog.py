"""What is known of data without reading them."""

from __future__ import annotations

from typing import Any

import pytest

from netcalc.analysis.setup import setup_of
from netcalc.data.catalog import KNOWN, sample_shape
from netcalc.graph import build_complete
from netcalc.spec.data import SOURCES, DataSpec
from netcalc.spec.load import parse_spec

READ = (32, 24, 3)

SHAPES: list[tuple[dict[str, Any], tuple[int, int, int]]] = [
    ({"source": "mnist"}, (28, 28, 1)),
    ({"source": "fashion_mnist", "resize": (32, 32)}, (28, 28, 1)),  # resized on the device
    ({"source": "cifar100", "pad": 4}, (32, 32, 3)),
    ({"source": "synthetic", "shape": (7, 8, 2)}, (7, 8, 2)),
    ({"source": "csv", "path": "x", "shape": (7, 8, 2)}, (7, 8, 2)),
    ({"source": "image_folder", "path": "x", "resize": (30, 20), "pad": 1}, (30, 20, 3)),  # resized on the host
    ({"source": "image_folder", "path": "x"}, READ),
    ({"source": "image_folder", "path": "x", "pad": ((1, 2), (0, 4))}, (29, 20, 3)),
    ({"source": "idx", "images": "x", "labels": "y", "pad": 2}, (28, 20, 3)),
    ({"source": "npz", "path": "x", "resize": (9, 9)}, (9, 9, 3)),
    ({"source": "parquet", "path": "x", "shape": (5, 5, 3)}, (5, 5, 3)),
    ({"source": "parquet", "path": "x", "shape": (5, 5, 3), "resize": (32, 24)}, READ),
]


def data_of(fields: dict[str, Any]) -> DataSpec:
    return SOURCES[fields["source"]](**fields)


@pytest.mark.parametrize(("fields", "shape"), SHAPES)
def test_the_shape_of_a_sample_as_it_reaches_the_device(fields: dict[str, Any], shape: tuple[int, ...]) -> None:
    assert sample_shape(data_of(fields), READ) == shape


def test_the_memory_of_a_step_counts_a_byte_a_value() -> None:
    text = "input: [32, 24, 3]\nlayers: [flatten, dense: 2]\ntrain:\n  data: {source: npz, path: x.npz, pad: 2}\n"
    graph = build_complete(parse_spec(text, "net.yaml"))
    assert graph.spec.train is not None
    raw = setup_of(graph, graph.spec.train).inputs["input"]
    assert (raw.bytes, raw.is_prepared) == (28 * 20 * 3, True)


def test_padding_larger_than_the_input_leaves_something_to_count() -> None:
    assert sample_shape(data_of({"source": "npz", "path": "x", "pad": 100}), READ) == (1, 1, 3)


def test_every_named_data_set_is_known() -> None:
    named = {name for name, model in SOURCES.items() if model.principal == "source"}
    assert named == KNOWN.keys()
    for known in KNOWN.values():
        assert len(set(known.classes)) == len(known.classes)
    assert [len(KNOWN[name].classes) for name in ("fashion_mnist", "cifar10", "cifar100")] == [10, 10, 100]
