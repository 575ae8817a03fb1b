"""Confusion matrices, filters and mistakes: what cells, tiles and captions hold."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("matplotlib")

import numpy as np

from netcalc.plots.confusion import draw_confusion
from netcalc.plots.figure import picture
from netcalc.plots.filters import draw_filters
from netcalc.plots.mistakes import Mistake, draw_mistakes
from netcalc.plots.mosaic import enlarged, mosaic
from tests.conftest import ROOT, command_env

HOSTILE = ("$x$", "_hidden", "\x1b[31m", "日本", "n" * 300, "{}%s\\")


def test_rows_of_the_matrix_are_shares_of_their_class() -> None:
    counts = np.array([[3, 1], [0, 0]])
    panel = draw_confusion(counts, ("a", "b"), "title").axes[0]
    shares = panel.images[0].get_array()
    np.testing.assert_array_equal(shares[0], [0.75, 0.25])
    assert np.ma.getmaskarray(shares)[1].all()
    assert sorted((text.get_position(), text.get_text()) for text in panel.texts) == [((0, 0), "3"), ((1, 0), "1")]


@pytest.mark.parametrize("classes", [2, 10, 24, 25, 50, 51, 100, 1000, 2000])
def test_labels_are_few_enough_and_stand_at_their_class(classes: int) -> None:
    names = [f"class {n}" for n in range(classes)]
    panel = draw_confusion(np.eye(classes, dtype=np.int64), names, "title").axes[0]
    for axis in (panel.xaxis, panel.yaxis):
        places, labels = axis.get_ticklocs(), [label.get_text() for label in axis.get_ticklabels()]
        assert labels == [names[int(place)] for place in places]
        assert min(classes, 20) <= len(labels) <= 50
    assert len(panel.texts) == (classes if classes <= 24 else 0)


def test_a_cell_of_a_thousand_classes_has_a_pixel_at_least() -> None:
    figure = draw_confusion(np.eye(1000, dtype=np.int64), [str(n) for n in range(1000)], "title")
    picture(figure, "png")
    assert figure.axes[0].get_window_extent().width / figure.dpi * 150 >= 1000


def test_names_of_classes_are_drawn_as_they_are() -> None:
    number = len(HOSTILE)
    assert picture(draw_confusion(np.eye(number, dtype=np.int64), HOSTILE, "$t$"), "svg")
    image = np.zeros((4, 4, 1), np.float32)
    assert picture(draw_mistakes([Mistake(image, a, b, "9 %") for a in HOSTILE for b in HOSTILE], "_t"), "png")


def drawn(filters: np.ndarray) -> np.ndarray:
    return draw_filters(filters.astype(np.float32), "conv1").axes[0].images[0].get_array()


def test_a_filter_is_scaled_by_its_own_largest_weight() -> None:
    one = np.array([[0.0, 1.0], [-1.0, 0.5]])
    image = drawn(np.stack([one, 100 * one])[..., None])
    side = 24
    for left in (0, image.shape[1] - side):
        tile = image[:side, left : left + side]
        np.testing.assert_array_equal(tile[6::12, 6::12, 0], [[0.5, 1.0], [0.0, 0.75]])
        np.testing.assert_array_equal(tile[..., 0], tile[..., 2])


def test_three_channels_are_colours_and_others_images_side_by_side() -> None:
    weights = np.zeros((1, 1, 1, 3))
    weights[..., 0], weights[..., 2] = 1, -1
    np.testing.assert_array_equal(drawn(weights)[12, 12], [1.0, 0.5, 0.0])
    two = np.zeros((1, 1, 1, 2))
    two[..., 1] = -3
    image = drawn(two)
    np.testing.assert_array_equal(image[12, [12, -12]], [[0.5] * 3, [0.0] * 3])


def test_filters_of_zeros_are_grey_and_many_are_cut() -> None:
    assert (drawn(np.zeros((1, 3, 3, 1))) == 0.5).all()
    figure = draw_filters(np.zeros((512, 3, 3, 64), np.float32), "conv1")
    assert "16 of 512 filters of 3×3×64" in figure.texts[0].get_text()
    assert "1 filter of 3×3×1" in draw_filters(np.zeros((1, 3, 3, 1), np.float32), "c").texts[0].get_text()


def test_a_mosaic_has_its_images_in_reading_order() -> None:
    images = np.arange(5.0)[:, None, None, None] / 10 * np.ones((5, 2, 3, 3))
    sheet = mosaic(images, columns=3, gap=1)
    assert sheet.shape == (5, 11, 3)
    np.testing.assert_array_equal(sheet[::3, ::4, 0], [[0.0, 0.1, 0.2], [0.3, 0.4, 1.0]])
    assert (sheet[2] == 1).all()
    assert enlarged(images, 5).shape == (5, 6, 9, 3)


@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 32, 2), (32, 8, 3), (1, 1, 4), (200, 1, 1)])
@pytest.mark.parametrize("count", [1, 7, 24])
def test_mistakes_have_their_image_class_answer_and_score(shape: tuple[int, ...], count: int) -> None:
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    figure = draw_mistakes([Mistake(image, f"cat {n}", f"dog {n}", "93 %") for n in range(count)], "title")
    panels = [panel for panel in figure.axes if panel.images]
    assert len(panels) == count
    for n, panel in enumerate(panels):
        assert [text.get_text() for text in panel.texts] == [f"cat {n}", f"dog {n}: 93 %"]
        expected = image[..., :3] if shape[2] >= 3 else image[..., 0]
        np.testing.assert_array_equal(panel.images[0].get_array(), expected)
    assert picture(figure, "png")


def test_drawing_needs_no_state_and_no_display() -> None:
    code = """
import sys, numpy as np
from netcalc.plots.confusion import draw_confusion
from netcalc.plots.figure import picture
picture(draw_confusion(np.eye(3, dtype=int), "abc", "t"), "png")
print([m for m in ("matplotlib.pyplot", "tkinter", "jax") if m in sys.modules])
"""
    env = command_env({"DISPLAY": None, "MPLBACKEND": "TkAgg"})
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_matplotlibrc_changes_nothing(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl

    counts = np.array([[3, 1], [1, 3]])
    before = picture(draw_confusion(counts, ("a", "b"), "t"), "svg")
    monkeypatch.setitem(mpl.rcParams, "font.size", 30)
    monkeypatch.setitem(mpl.rcParams, "figure.facecolor", "black")
    assert picture(draw_confusion(counts, ("a", "b"), "t"), "svg") == before
    assert mpl.rcParams["font.size"] == 30
