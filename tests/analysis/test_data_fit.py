"""Whether images and targets fit a network: what is said of each kind of target, at its place."""

from __future__ import annotations

from typing import Any

import pytest

from netcalc.analysis.data_fit import Misfit, misfits_of_ends, misfits_of_samples
from netcalc.data.catalog import KnownSamples
from netcalc.graph import build_complete
from netcalc.spec.data import Target
from netcalc.spec.load import parse_spec
from netcalc.spec.training import UpdateSpec

FLAT = "input: [8, 8, 1]\nlayers: [flatten, {{dense: {outputs}}}]\n"
MAP = "input: [8, 8, 1]\nlayers: [{{conv: {{filters: {outputs}, kernel: {kernel}}}}}]\n"

CE, BCE, MSE, HUBER = "cross_entropy", "binary_cross_entropy", "half_mse", "huber"


def misfits(
    text: str,
    target: Target,
    classes: int,
    loss: str,
    values: tuple[int, ...] = (),
    shape: tuple[int, ...] = (8, 8, 1),
) -> list[Misfit]:
    graph = build_complete(parse_spec(text, "net.yaml"))
    samples = KnownSamples(shape, target, classes, values)
    return list(misfits_of_samples(graph, "npz", samples, UpdateSpec.model_validate({"loss": loss})))


@pytest.mark.parametrize(
    ("outputs", "target", "classes", "values", "losses"),
    [
        (10, "class", 10, (), (CE, BCE, MSE, HUBER)),
        (2, "class", 2, (), (CE, BCE, MSE, HUBER)),
        (1, "class", 2, (), (BCE, MSE, HUBER)),
        (10, "multi_label", 10, (), (BCE, MSE, HUBER)),
        (1, "multi_label", 1, (), (BCE, MSE, HUBER)),
        (3, "values", 0, (3,), (MSE, HUBER)),
        (1, "values", 0, (), (MSE, HUBER)),
        (12, "values", 0, (2, 3, 2), (MSE, HUBER)),
    ],
)
def test_a_vector_that_fits_goes_with_these_losses_alone(
    outputs: int, target: Target, classes: int, values: tuple[int, ...], losses: tuple[str, ...]
) -> None:
    for loss in (CE, BCE, MSE, HUBER):
        found = misfits(FLAT.format(outputs=outputs), target, classes, loss, values)
        assert (found == []) == (loss in losses), (loss, found)


@pytest.mark.parametrize(
    ("outputs", "target", "classes", "values", "loss", "said"),
    [
        (9, "class", 10, (), CE, "the output 9 does not match the 10 classes of `npz`"),
        (1, "class", 2, (), CE, "the output 1 does not match the 2 classes"),
        (1, "class", 3, (), BCE, "the output 1 does not match the 3 classes"),
        (1, "multi_label", 2, (), BCE, "the output 1 does not match the 2 classes"),
        (2, "values", 0, (3,), MSE, "the output 2 does not match the 3 values of `npz`"),
        (2, "values", 0, (), MSE, "the output 2 does not match the 1 value of `npz`"),
        (
            10,
            "mask",
            10,
            (),
            CE,
            "the output 10 does not match the masks of `npz`, which have a class for each pixel",
        ),
    ],
)
def test_a_vector_that_does_not_fit(
    outputs: int, target: Target, classes: int, values: tuple[int, ...], loss: str, said: str
) -> None:
    (found,) = misfits(FLAT.format(outputs=outputs), target, classes, loss, values)
    assert (found.code, found.field) == ("NC202", "units")
    assert found.node is not None
    assert said in found.message
    assert found.help


@pytest.mark.parametrize(
    ("outputs", "kernel", "classes", "loss", "said"),
    [
        (4, 1, 4, CE, None),
        (4, 3, 4, CE, None),  # 6×6, compared with the middle
        (4, 1, 4, HUBER, None),
        (1, 1, 2, BCE, None),
        (1, 1, 2, CE, "the output 8×8×1 does not match the masks of `npz`, which have 2 classes"),
        (1, 1, 3, BCE, "which have 3 classes"),
        (5, 1, 4, CE, "the output 8×8×5 does not match the masks of `npz`, which have 4 classes"),
    ],
)
def test_maps_and_masks(outputs: int, kernel: int, classes: int, loss: str, said: str | None) -> None:
    found = misfits(MAP.format(outputs=outputs, kernel=kernel), "mask", classes, loss)
    if said is None:
        assert found == []
        return
    (one,) = found
    assert (one.code, one.field) == ("NC202", "filters")
    assert said in one.message


def test_a_map_that_is_larger_than_the_masks() -> None:
    text = "input: [8, 8, 1]\nlayers: [{upsample: [1, 2]}, {conv: {filters: 3, kernel: 1}}]\n"
    (found,) = misfits(text, "mask", 3, CE)
    assert "the output 8×16×3 does not match the masks of `npz`, which are 8×8" in found.message


def test_images_of_another_shape_are_told_whatever_the_target() -> None:
    found = misfits(FLAT.format(outputs=3), "values", 0, MSE, (3,), shape=(9, 8, 1))
    assert [one.code for one in found] == ["NC201"]


def test_a_map_is_no_vector_of_classes() -> None:
    (found,) = misfits(MAP.format(outputs=4, kernel=1), "class", 4, CE)
    assert "the output 8×8×4 does not match the 4 classes" in found.message


def test_a_head_is_checked_like_the_main_output_and_is_no_misfit_itself() -> None:
    text = """
input: [8, 8, 1]
layers:
  - flatten
  - {dense: 10, name: main}
  - {dense: 9, name: head, from: flatten1}
outputs: [{name: head, train_only: true}, main]
"""
    graph = build_complete(parse_spec(text, "net.yaml"))
    assert list(misfits_of_ends(graph)) == []
    (found,) = misfits_of_samples(graph, "npz", KnownSamples((8, 8, 1), "class", 10), UpdateSpec())
    assert found.node is graph.nodes["head"]
    both = UpdateSpec.model_validate({"losses": {"head": {CE: {"class_weights": [1.0, 2.0]}}, "main": MSE}})
    (found,) = misfits_of_samples(graph, "npz", KnownSamples((8, 8, 1), "class", 10), both)
    assert (found.code, found.section) == ("NC204", f"train.losses.head.{CE}.class_weights")


@pytest.mark.parametrize(
    ("outputs", "target", "classes", "loss", "said"),
    [
        (4, "class", 4, {CE: {"ignore": 3}}, "`ignore` is of masks, the targets of `npz` are one class a sample"),
        (4, "multi_label", 4, {BCE: {"ignore": 0}}, "`ignore` is of masks"),
        (
            4,
            "class",
            4,
            {CE: {"class_weights": [1.0, 2.0]}},
            "`class_weights` has 2 numbers, the data have 4 classes",
        ),
        (
            1,
            "class",
            2,
            {BCE: {"positive_weight": [1.0, 3.0]}},
            "`positive_weight` has 2 numbers, the output 1 value",
        ),
        (
            4,
            "multi_label",
            4,
            {BCE: {"positive_weight": [3.0]}},
            "`positive_weight` has 1 number, the output 4 values",
        ),
    ],
)
def test_fields_of_a_loss_that_do_not_go_with_the_targets(
    outputs: int, target: Target, classes: int, loss: dict[str, Any], said: str
) -> None:
    graph = build_complete(parse_spec(FLAT.format(outputs=outputs), "net.yaml"))
    update = UpdateSpec.model_validate({"loss": loss})
    (found,) = misfits_of_samples(graph, "npz", KnownSamples((8, 8, 1), target, classes), update)
    assert found.code == "NC204"
    assert said in found.message
    assert found.section.startswith("train.loss.")


def test_heads_on_masks_ignore_the_same_label() -> None:
    text = """
input: [8, 8, 1]
layers: [{conv: {filters: 3, kernel: 1}, name: main}, {conv: {filters: 3, kernel: 1}, name: head, from: input}]
outputs: [main, {name: head, train_only: true}]
"""
    graph = build_complete(parse_spec(text, "net.yaml"))
    masks = KnownSamples((8, 8, 1), "mask", 3)
    for losses, said in (
        ({"main": {CE: {"ignore": 255}}}, "the loss of `head` ignores no label, that of `main` 255"),
        ({"head": {CE: {"ignore": 255}}}, "the loss of `head` ignores 255, that of `main` no label"),
    ):
        (found,) = misfits_of_samples(graph, "npz", masks, UpdateSpec.model_validate({"losses": losses}))
        assert (found.code, found.message) == ("NC204", said)
    both = UpdateSpec.model_validate({"loss": {CE: {"ignore": 255}}})
    assert list(misfits_of_samples(graph, "npz", masks, both)) == []


def test_several_main_outputs_are_still_too_many() -> None:
    text = "input: [8]\nlayers: [{dense: 2, name: a}, {dense: 2, name: b}]\noutputs: [a, b]\n"
    (found,) = misfits_of_ends(build_complete(parse_spec(text, "net.yaml")))
    assert found.code == "NC203"
