"""Order and preparation of batches."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from netcalc.data.pipeline import epoch_order, evaluation_batches, prepare, training_batches
from netcalc.data.preprocessing import Preprocessing, fit_preprocessing, stored_preprocessing
from netcalc.data.samples import Dataset, Split
from netcalc.data.sources import load_dataset
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import PackagedData


def split_of(samples):
    images = np.arange(samples * 6, dtype=np.uint8).reshape(samples, 2, 3, 1)
    return Split(images, np.arange(samples, dtype=np.int32))


def preprocessing(**changed):
    fields = {
        "source": (2, 3, 1),
        "resize": None,
        "pad": ((0, 0), (0, 0)),
        "mean": (0.0,),
        "std": (1.0,),
        "classes": ("a", "b"),
    }
    return Preprocessing(**fields | changed)


def test_the_order_is_a_pure_function_of_seed_and_epoch():
    assert np.array_equal(epoch_order(100, 3, 5), epoch_order(100, 3, 5))
    assert not np.array_equal(epoch_order(100, 3, 5), epoch_order(100, 3, 6))
    assert not np.array_equal(epoch_order(100, 3, 5), epoch_order(100, 4, 5))


def test_an_epoch_shows_every_sample_once_with_its_own_label():
    batches = list(training_batches(split_of(11), 4, seed=0, epoch=1))
    assert [len(labels) for _, labels in batches] == [4, 4, 3]
    assert [len(labels) for _, labels in training_batches(split_of(9), 4, seed=0, epoch=1)] == [3, 3, 3]
    seen = np.concatenate([labels for _, labels in batches])
    assert sorted(seen) == list(range(11))
    for images, labels in batches:
        assert np.array_equal(images, split_of(11).images[labels])


def test_evaluation_batches_have_one_size_and_weigh_every_sample_once():
    batches = list(evaluation_batches(split_of(11), 4))
    assert all(len(labels) == len(weights) == 4 for (_, labels), weights in batches)
    counted = [label for (_, labels), weights in batches for label in labels[weights == 1]]
    assert counted == list(range(11))


def test_prepare_scales_pads_with_black_and_normalises():
    images = np.full((1, 2, 3, 1), 16, np.uint8)
    x = prepare(jnp.array(images), preprocessing(pad=((1, 0), (0, 2)), mean=(0.5,), std=(0.25,)), 16)
    assert x.shape == (1, *preprocessing(pad=((1, 0), (0, 2))).shape)
    assert x[0, 1, 0, 0] == pytest.approx((1 - 0.5) / 0.25)
    assert x[0, 0, 0, 0] == x[0, 1, 4, 0] == pytest.approx((0 - 0.5) / 0.25)


def test_prepare_resizes_before_it_pads():
    images = np.full((2, 2, 3, 1), 8, np.uint8)
    x = prepare(jnp.array(images), preprocessing(resize=(4, 6), pad=((1, 1), (1, 1))), 16)
    assert x.shape == (2, 6, 8, 1)
    np.testing.assert_allclose(x[:, 1:-1, 1:-1], 0.5, rtol=1e-6)
    assert float(jnp.abs(x[:, 0]).max()) == 0


def test_auto_makes_the_training_images_zero_mean_and_unit_variance():
    dataset = load_dataset(PackagedData(source="digits"))
    fitted = fit_preprocessing(dataset, PackagedData(source="digits"), {})
    x = np.asarray(prepare(jnp.array(dataset.train.images), fitted, dataset.max_value), np.float64)
    assert x.mean() == pytest.approx(0, abs=1e-5)
    assert x.std() == pytest.approx(1, abs=1e-5)


def test_a_constant_channel_stays_finite():
    flat = Split(np.full((3, 2, 2, 1), 7, np.uint8), np.zeros(3, np.int32))
    fitted = fit_preprocessing(Dataset("flat", flat, flat, ("a",), 255), PackagedData(source="digits"), {})
    assert fitted.std == (1.0,)
    assert float(jnp.abs(prepare(jnp.array(flat.images), fitted, 255)).max()) < 1e-6


def test_statistics_come_from_the_training_split_alone():
    dark = Split(np.zeros((4, 2, 2, 1), np.uint8), np.zeros(4, np.int32))
    light = Split(np.full((4, 2, 2, 1), 255, np.uint8), np.zeros(4, np.int32))
    fitted = fit_preprocessing(Dataset("two", dark, light, ("a",), 255), PackagedData(source="digits"), {})
    assert fitted.mean == (0.0,)


@pytest.mark.parametrize("resize", [None, (4, 5)])
def test_preprocessing_survives_json(resize):
    before = preprocessing(resize=resize, pad=((1, 2), (3, 4)), mean=(0.1306604762738429,))
    assert stored_preprocessing(json.dumps(before.to_dict()).encode(), "preprocessing.json") == before


def test_preprocessing_of_values_has_no_classes():
    before = preprocessing(classes=(), target="values")
    assert stored_preprocessing(json.dumps(before.to_dict()).encode(), "preprocessing.json") == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "other"}, "`format`"),
        ({"pad": 3}, "`pad`"),
        ({"pad": [[0, -1], [0, 0]]}, "`pad.0.1`"),
        ({"source": None}, "`source`"),
        ({"source": [0, 3, 1]}, "`source.0`"),
        ({"resize": ["x", 3]}, "`resize.0`"),
        ({"resize": [4, 10**9]}, "`resize.1`"),
        ({"mean": 1}, "`mean`"),
        ({"mean": ["a"]}, "`mean.0`"),
        ({"mean": [float("nan")]}, "`mean.0`"),
        ({"mean": [0.1, 0.2]}, "2 and 1 for 1"),
        ({"std": [0]}, "`std.0`"),
        ({"classes": "ab"}, "`classes`"),
        ({"classes": [1, 2]}, "`classes.0`"),
        ({"other": 1}, "`other`"),
    ],
)
def test_a_damaged_preprocessing_names_the_file_and_the_field(change, said):
    with pytest.raises(CannotRunError, match=r"^preprocessing\.json: ") as caught:
        stored_preprocessing(json.dumps(preprocessing().to_dict() | change).encode(), "preprocessing.json")
    assert said in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"\xff"])
def test_what_is_no_preprocessing_names_the_file(text):
    with pytest.raises(CannotRunError, match=r"^preprocessing\.json: "):
        stored_preprocessing(text, "preprocessing.json")
