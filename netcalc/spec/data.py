"""The `train.data:` section: where samples come from, how they are split and prepared; one model a source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, PositiveFloat, Tag, model_validator

from netcalc.choice import LIST_AS_TUPLE, Fields
from netcalc.diagnostics import Span
from netcalc.layers.base import Flag, PositiveInt
from netcalc.layers.window import Padding

MAX_SIDE = 16384
"""The most pixels along an axis of an image."""

Packaged = Literal["mnist5k", "digits"]
Downloaded = Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]
Target = Literal["class", "mask", "multi_label", "values"]
"""What a sample is to give: one class, a class for each pixel, whether each class is there, or numbers."""


def _side_pair(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        value = [value, value]
    if (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(v, int) and not isinstance(v, bool) and 0 < v <= MAX_SIDE for v in value)
    ):
        return tuple(value)
    raise ValueError("should be [height, width] in pixels")


def _normalize(value: Any) -> Any:
    if value in ("auto", "none") or isinstance(value, dict | Normalization):
        return value
    raise ValueError("should be auto, none or {mean: [...], std: [...]}")


def _in_pixels(value: Padding) -> Padding:
    if isinstance(value, str):
        raise ValueError("should be a number of pixels")
    return value


def _shares(value: tuple[float, ...]) -> tuple[float, ...]:
    if abs(sum(value) - 1) > 1e-6:
        raise ValueError(f"should add up to 1, not {sum(value):g}")
    if value[0] == 0:
        raise ValueError("should leave samples to train on")
    if len(value) == 3 and value[2] == 0:
        raise ValueError("should leave samples to test on")
    return value


def _names(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) < len(value):
        raise ValueError("should name every class once")
    return value


def _column(value: Any) -> Any:
    if isinstance(value, int | str) and not isinstance(value, bool):
        return value
    raise ValueError("should be the index or the name of a column")


def _columns(value: Any) -> Any:
    if isinstance(value, list | tuple) and value:
        found = tuple(map(_column, value))
        if len(set(found)) < len(found):
            raise ValueError("should name every column once")
        return found
    raise ValueError("should be a list of columns, each an index or a name")


def _file_path(value: str) -> str:
    if not value or "\0" in value:
        raise ValueError("should be a path")
    return value


_Side = Annotated[int, Field(gt=0, le=MAX_SIDE)]
FilePath = Annotated[str, AfterValidator(_file_path)]
ImageShape = Annotated[tuple[_Side, _Side, Annotated[int, Field(gt=0, le=1024)]], LIST_AS_TUPLE]
ClassNames = Annotated[tuple[str, ...], LIST_AS_TUPLE, Field(min_length=2), AfterValidator(_names)]
Channels = Literal[1, 3, 4]
OnCorrupt = Literal["error", "skip"]


class Normalization(Fields):
    """(x − mean) / std per channel, for pixels scaled to [0, 1]."""

    mean: Annotated[tuple[float, ...], LIST_AS_TUPLE] = Field(
        description="mean of each channel, pixels scaled to [0, 1]"
    )
    std: Annotated[tuple[PositiveFloat, ...], LIST_AS_TUPLE] = Field(
        description="standard deviation of each channel, likewise"
    )


class SplitShares(Fields):
    """How samples are divided: at random, but with every class in its share, as the seed says."""

    principal: ClassVar[str | None] = "shares"

    shares: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)], ...],
        LIST_AS_TUPLE,
        Field(min_length=2, max_length=3),
        AfterValidator(_shares),
    ] = Field(description="[training, validation, test]; [training, validation] where there is a test set already")
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**31)] = Field(
        default=0, description="another seed makes another division"
    )


class DataSpec(Fields):
    """What all sources have: the division of the samples, and how one is prepared: resize, pad, normalize."""

    paths: ClassVar[tuple[str, ...]] = ()
    """The fields that hold paths, relative to the file that the spec stands in."""

    decoded: ClassVar[bool] = False
    """Whether images are decoded and resized on the host, sample by sample, as training asks for them."""

    source: str = Field(description="where the samples come from")
    split: SplitShares | None = Field(
        default=None,
        description="shares for [training, validation, test]: [0.8, 0, 0.2] by default; "
        "[training, validation] where the source has a test set: [1, 0] by default",
    )
    resize: (
        Annotated[tuple[int, int], BeforeValidator(_side_pair, json_schema_input_type=int | tuple[int, int])] | None
    ) = Field(default=None, description="[height, width] that images are scaled to")
    pad: Annotated[Padding, AfterValidator(_in_pixels)] = Field(
        default=0, description="pixels of value 0 added around each image"
    )
    normalize: Annotated[
        Annotated[Literal["auto", "none"], Tag("(word)")] | Annotated[Normalization, Tag("(values)")],
        Discriminator(lambda value: "(word)" if isinstance(value, str) else "(values)"),
        BeforeValidator(_normalize),
    ] = Field(
        default="auto",
        description="auto: mean and std of the training images per channel; none: pixels in [0, 1]; "
        "or {mean, std} of such pixels",
    )

    def beside(self, places: Mapping[str, Span]) -> Self:
        """Return the same with absolute paths; `places` tells in which file each field stands."""
        found = {}
        for name in self.paths:
            if (written := getattr(self, name)) is None:
                continue
            span = places.get(f"train.data.{name}")
            # What an override sets is relative to where the command runs.
            folder = "" if span is None or span.virtual else os.path.dirname(span.file)
            found[name] = os.path.abspath(os.path.join(folder, os.path.expanduser(written)))
        return self.model_copy(update=found)


class PackagedData(DataSpec):
    """A data set that ships with netcalc."""

    principal: ClassVar[str | None] = "source"

    source: Packaged = Field(description="a built-in data set")


class DownloadedData(DataSpec):
    """A published data set, downloaded once into the user's cache, or read from a folder."""

    principal: ClassVar[str | None] = "source"
    paths: ClassVar[tuple[str, ...]] = ("path",)

    source: Downloaded = Field(description="a published data set, downloaded once and verified")
    path: FilePath | None = Field(
        default=None, description="folder that holds its files already; nothing is downloaded then"
    )


class ImageFolderData(DataSpec):
    """Image files in a folder a class or with a mask each, perhaps below train, val and test."""

    paths: ClassVar[tuple[str, ...]] = ("path", "masks")
    decoded: ClassVar[bool] = True

    source: Literal["image_folder"] = Field(description="image files in a folder a class, or with a mask each")
    path: FilePath = Field(description="the folder of the classes, or of train, val and test")
    masks: FilePath | None = Field(
        default=None,
        description="the folder of the masks, each with the path of its image but for the suffix: the target is "
        "then a class for each pixel, and folders are no classes",
    )
    classes: ClassNames | None = Field(
        default=None, description="names of the classes of masks; the numbers found in them by default"
    )
    channels: Channels = Field(default=3, description="1: grey, 3: colour, 4: colour and alpha")
    on_corrupt: OnCorrupt = Field(
        default="error", description="skip: leave images out that cannot be decoded; all are tried beforehand"
    )

    @model_validator(mode="after")
    def _folders_are_named(self) -> ImageFolderData:
        if self.classes is not None and self.masks is None:
            raise ValueError("`classes` names those of `masks`; without masks each folder names its class")
        return self


class IdxData(DataSpec):
    """Files in the format of MNIST, plain or gzipped."""

    paths: ClassVar[tuple[str, ...]] = ("images", "labels", "test_images", "test_labels")

    source: Literal["idx"] = Field(description="files in the format of MNIST")
    images: FilePath = Field(description="the images: idx3, or idx4 with channels last")
    labels: FilePath = Field(description="their labels: idx1")
    test_images: FilePath | None = Field(default=None, description="images to test on")
    test_labels: FilePath | None = Field(default=None, description="labels of the images to test on")
    classes: ClassNames | None = Field(default=None, description="names of the classes; numbers by default")

    @model_validator(mode="after")
    def _both_or_neither(self) -> IdxData:
        if (self.test_images is None) != (self.test_labels is None):
            raise ValueError("give `test_images` and `test_labels`, or neither")
        return self


class NpzData(DataSpec):
    """Arrays of a NumPy archive."""

    paths: ClassVar[tuple[str, ...]] = ("path",)

    source: Literal["npz"] = Field(description="arrays of a NumPy archive")
    path: FilePath = Field(description="the .npz file")
    images: str = Field(default="images", description="array of images, uint8: [N, H, W] or [N, H, W, C]")
    labels: str = Field(
        default="labels",
        description="array of labels. Whole numbers from 0: classes [N], masks [N, H, W]; 0 and 1: several labels "
        "[N, classes]; floating point: values [N], [N, K] or [N, H, W, C]",
    )
    test_images: str | None = Field(default=None, description="array of images to test on")
    test_labels: str | None = Field(default=None, description="array of labels of the images to test on")
    classes: ClassNames | None = Field(default=None, description="names of the classes; numbers by default")

    @model_validator(mode="after")
    def _both_or_neither(self) -> NpzData:
        if (self.test_images is None) != (self.test_labels is None):
            raise ValueError("give `test_images` and `test_labels`, or neither")
        return self


class CsvData(DataSpec):
    """Rows of pixel values with a label, or with values to predict."""

    paths: ClassVar[tuple[str, ...]] = ("path", "test_path")

    source: Literal["csv"] = Field(description="rows of pixel values with a label")
    path: FilePath = Field(description="the file, plain or .gz")
    test_path: FilePath | None = Field(default=None, description="the rows to test on")
    shape: ImageShape = Field(description="[height, width, channels] of the pixels of a row, in this order")
    label: Annotated[int | str, BeforeValidator(_column)] = Field(
        default=0, description="column of the label: its index, −1 for the last, or its name in the header"
    )
    values: (
        Annotated[tuple[int | str, ...], BeforeValidator(_columns, json_schema_input_type=list[int | str])] | None
    ) = Field(default=None, description="columns of the values to predict, in place of a label")
    header: Flag = Field(default=False, description="whether the first line names the columns")
    max_value: Annotated[int, Field(gt=0, le=255)] = Field(
        default=255, description="the pixel value that stands for 1.0"
    )
    classes: ClassNames | None = Field(
        default=None, description="names of the classes that numbers stand for; the labels found by default"
    )

    @model_validator(mode="after")
    def _named_by_a_header(self) -> CsvData:
        if isinstance(self.label, str) and not self.header:
            raise ValueError("`label` is a name, which needs `header: true`; without a header give its index")
        if any(isinstance(column, str) for column in self.values or ()) and not self.header:
            raise ValueError("`values` has names, which need `header: true`; without a header give indices")
        return self

    @model_validator(mode="after")
    def _one_target(self) -> CsvData:
        # A resolved spec writes defaults out, so that only another label than the default's is one too many.
        if self.values is not None and self.label != 0:
            raise ValueError("`values` takes the place of `label`; give one of them")
        if self.values is not None and self.classes is not None:
            raise ValueError("`values` has no `classes`; leave them out")
        return self


class ParquetData(DataSpec):
    """Parquet files, or a data set that Hugging Face's datasets saved: encoded images or lists of pixels."""

    paths: ClassVar[tuple[str, ...]] = ("path",)
    decoded: ClassVar[bool] = True

    source: Literal["parquet"] = Field(description="Parquet or Arrow files, as Hugging Face's datasets are kept")
    path: FilePath = Field(description="a file, or a folder of files named after their split")
    image: str = Field(default="image", description="column of the images: encoded files or pixel values")
    label: str = Field(
        default="label",
        description="column of the labels. Whole numbers or text: classes; lists of 0 and 1 or of classes: several "
        "labels; floating point, or lists of it: values",
    )
    mask: str | None = Field(
        default=None, description="column of masks, encoded like images, in place of labels: a class for each pixel"
    )
    classes: ClassNames | None = Field(
        default=None, description="names of the classes; those of datasets, or those found, by default"
    )
    shape: ImageShape | None = Field(
        default=None, description="[height, width, channels] of the pixel values of a row; not for encoded files"
    )
    channels: Channels = Field(default=3, description="of encoded files: 1: grey, 3: colour, 4: colour and alpha")
    on_corrupt: OnCorrupt = Field(
        default="error", description="skip: leave images out that cannot be decoded; all are tried beforehand"
    )

    @model_validator(mode="after")
    def _one_target(self) -> ParquetData:
        if self.mask is not None and self.label != "label":
            raise ValueError("`mask` takes the place of `label`; give one of them")
        if self.image == (self.mask or self.label):
            raise ValueError(f"`{self.image}` is the column of the images; give another for labels or masks")
        return self


class SyntheticData(DataSpec):
    """Images with targets that can be learnt, made from a seed: patterns, shapes or spots of light under noise."""

    source: Literal["synthetic"] = Field(description="images made from a seed, with targets that can be learnt")
    shape: ImageShape = Field(description="[height, width, channels]")
    target: Target = Field(
        default="class",
        description="class: a pattern a class; mask: shapes of a pattern a class on a background, class 0; "
        "multi_label: patterns that lie over each other; values: row, column and brightness of a spot",
    )
    classes: Annotated[int, Field(strict=True, ge=2, le=10_000)] = Field(
        default=10, description="how many; values have none"
    )
    samples: PositiveInt = Field(default=1000, description="how many images, of all classes")
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**31)] = Field(default=0, description="of the images")

    @model_validator(mode="after")
    def _every_class_has_images(self) -> SyntheticData:
        if self.target == "values" and self.classes != 10:
            raise ValueError("`target: values` has no classes; leave `classes` out")
        if self.target == "class" and self.samples < self.classes:
            raise ValueError(f"`samples` ({self.samples}) should be one for each of the {self.classes} `classes`")
        return self


_MODELS: tuple[type[DataSpec], ...] = (
    PackagedData, DownloadedData, ImageFolderData, IdxData, NpzData, CsvData, ParquetData, SyntheticData,
)  # fmt: skip

SOURCES: dict[str, type[DataSpec]] = {
    name: model for model in _MODELS for name in get_args(model.model_fields["source"].annotation)
}
"""Every source by the name that specs use, with the model of its fields."""


def _in_short(value: Any) -> Any:
    return {"source": value} if isinstance(value, str) else value


def _tag(value: Any) -> str | None:
    name = value.get("source") if isinstance(value, dict) else getattr(value, "source", None)
    model = SOURCES.get(name) if isinstance(name, str) else None
    return None if model is None else f"({model.__name__})"


AnyData = Annotated[
    Annotated[PackagedData, Tag("(PackagedData)")]
    | Annotated[DownloadedData, Tag("(DownloadedData)")]
    | Annotated[ImageFolderData, Tag("(ImageFolderData)")]
    | Annotated[IdxData, Tag("(IdxData)")]
    | Annotated[NpzData, Tag("(NpzData)")]
    | Annotated[CsvData, Tag("(CsvData)")]
    | Annotated[ParquetData, Tag("(ParquetData)")]
    | Annotated[SyntheticData, Tag("(SyntheticData)")],
    Discriminator(
        _tag,
        custom_error_type="unknown_choice",
        custom_error_message="`source` names no source",
        custom_error_context={"field": "source", "known": list(SOURCES)},
    ),
    BeforeValidator(_in_short),
]
"""The model that `source` names."""
