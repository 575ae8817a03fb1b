"""What is known of data sets without reading them: no array library is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from netcalc.spec.data import CsvData, DataSpec, ParquetData, SyntheticData, Target


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A data set with a name: images of [height, width, channels], a byte a value, and their classes.

    `max_value` is the pixel value that stands for 1.0.
    """

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    train_images: int
    test_images: int
    max_value: int


_DIGITS = tuple("0123456789")
_CLOTHES = (
    "t-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CIFAR100 = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
    "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
    "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
    "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
    "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow_tree", "wolf", "woman", "worm",
)  # fmt: skip

BUILT_INS: Mapping[str, BuiltIn] = MappingProxyType(
    {
        "mnist5k": BuiltIn((28, 28, 1), _DIGITS, train_images=4000, test_images=1000, max_value=255),
        "digits": BuiltIn((8, 8, 1), _DIGITS, train_images=1347, test_images=450, max_value=16),
    }
)
"""Every data set of `builtin/`, by the name that specs use."""

PUBLISHED: Mapping[str, BuiltIn] = MappingProxyType(
    {
        "mnist": BuiltIn((28, 28, 1), _DIGITS, train_images=60_000, test_images=10_000, max_value=255),
        "fashion_mnist": BuiltIn((28, 28, 1), _CLOTHES, train_images=60_000, test_images=10_000, max_value=255),
        "cifar10": BuiltIn((32, 32, 3), _CIFAR10, train_images=50_000, test_images=10_000, max_value=255),
        "cifar100": BuiltIn((32, 32, 3), _CIFAR100, train_images=50_000, test_images=10_000, max_value=255),
    }
)
"""Every data set that is downloaded, by the name that specs use."""

KNOWN: Mapping[str, BuiltIn] = MappingProxyType({**BUILT_INS, **PUBLISHED})

SPOT = ("row", "column", "brightness")
"""The values that `synthetic` gives of a spot of light, each from 0 to 1: 0 is the top, the left, the darkest."""


@dataclass(frozen=True, slots=True)
class KnownSamples:
    """What a sample is: an image of [height, width, channels], the number of classes, the shape of its values."""

    shape: tuple[int, int, int]
    target: Target
    classes: int
    values: tuple[int, ...] = ()


def known_samples(data: DataSpec) -> KnownSamples | None:
    """Return what the samples of a source are where that is known without reading any, else None."""
    if (known := KNOWN.get(data.source)) is not None:
        return KnownSamples(known.shape, "class", len(known.classes))
    if isinstance(data, SyntheticData) and data.target == "values":
        return KnownSamples(data.shape, "values", 0, (len(SPOT),))
    if isinstance(data, SyntheticData):
        return KnownSamples(data.shape, data.target, data.classes)
    return None


def sample_shape(data: DataSpec, read: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of an image as it reaches the device, a byte a value, without reading any.

    `read` is what the network reads. Where the source does not tell the size, it is what `resize` says, or else
    what the network reads without the padding: images of another size would not fit it.
    """
    if data.source in KNOWN:
        return KNOWN[data.source].shape
    if isinstance(data, SyntheticData | CsvData):
        return data.shape
    if isinstance(data, ParquetData) and data.shape is not None and data.resize is None:
        return data.shape
    if data.resize is not None:
        return (*data.resize, *read[2:])
    pads = pads_of(data) if len(read) == 3 else None
    if pads is None:
        return read
    (top, bottom), (left, right) = pads
    height, width, channels = read
    return max(height - top - bottom, 1), max(width - left - right, 1), channels


def pads_of(data: DataSpec) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return ((top, bottom), (left, right)) pixels that `pad` adds, None where it does not fit an image."""
    pad = data.pad
    if isinstance(pad, int):
        return (pad, pad), (pad, pad)
    if isinstance(pad, tuple) and len(pad) == 2:
        return pad[0], pad[1]
    return None
