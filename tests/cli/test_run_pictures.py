"""Pictures of models of each kind of target: what is drawn, and why nothing is."""

from __future__ import annotations

import jax
import numpy as np
import pytest

pytest.importorskip("matplotlib")

from netcalc.cli.run_pictures import Answered, confusion_picture, mistakes_picture
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec
from netcalc.train.checkpoint import Checkpoint
from netcalc.train.evaluate import Opened
from netcalc.train.plan import make_plan

SPEC = """
input: [6, 6, {channels}]
layers: [{layers}]
train:
  data: {{source: synthetic, target: {target}, shape: [6, 6, {channels}], classes: 4, samples: 100}}
  loss: {loss}
"""


def answered(target: str = "class", layers: str = "flatten, {dense: 4}", loss: str = "cross_entropy", channels=1):
    text = SPEC.format(target=target, layers=layers, loss=loss, channels=channels)
    if target == "values":
        text = text.replace("classes: 4, ", "")
    plan = make_plan(build_complete(parse_spec(text)))
    params, state = plan.network.init(jax.random.key(0))
    return Answered("net-1", Opened(plan, Checkpoint(params, state, 0, 3), plan.dataset.test), "test")


def test_samples_of_classes_are_counted_and_shown() -> None:
    found = answered()
    assert found.confusion.sum() == found.opened.samples.samples
    figure = confusion_picture(found)
    assert not isinstance(figure, str)
    right = 100 * np.trace(found.confusion) / found.confusion.sum()
    assert (
        figure.axes[0].get_title(loc="left") == f"net-1 after epoch 3, test split\n20 samples, {right:.2f} % right"
    )
    wrong = len(found.answers.mistakes)
    assert wrong > 4
    figure = mistakes_picture(found, 4)
    assert not isinstance(figure, str)
    assert f"the surest 4 of {wrong} mistakes" in figure.texts[0].get_text()
    images = [panel.images[0].get_array() for panel in figure.axes if panel.images]
    first = found.opened.samples.images[found.answers.mistakes[:1]][0, ..., 0] / 255
    np.testing.assert_allclose(images[0], first, rtol=1e-6)


def test_pixels_of_masks_are_counted() -> None:
    found = answered("mask", "{conv: {filters: 4, kernel: 1}}")
    assert found.confusion.sum() == found.opened.samples.samples * 36
    figure = confusion_picture(found)
    assert not isinstance(figure, str)
    assert "720 pixels" in figure.axes[0].get_title(loc="left")
    assert mistakes_picture(found, 4) == "the run is of masks"


@pytest.mark.parametrize(
    ("target", "layers", "loss", "why"),
    [
        ("multi_label", "flatten, {dense: 4}", "binary_cross_entropy", "the run is of several labels a sample"),
        ("values", "flatten, {dense: 3}", "half_mse", "the run is of values"),
    ],
)
def test_without_classes_that_exclude_each_other_there_is_no_picture(
    target: str, layers: str, loss: str, why: str
) -> None:
    found = answered(target, layers, loss)
    assert (confusion_picture(found), mistakes_picture(found, 4)) == (why, why)


def test_images_of_many_channels_are_not_shown() -> None:
    assert mistakes_picture(answered(channels=5), 4) == "images of 5 channels cannot be shown"
