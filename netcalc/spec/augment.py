"""The `train.augment:` list: random changes of training images, in the order in which they are made."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, PositiveFloat, model_validator

from netcalc.choice import LIST_AS_TUPLE, Fields, OneOf
from netcalc.layers.base import PositiveInt

Share = Annotated[float, Field(ge=0, le=1)]
_Range = Annotated[tuple[PositiveFloat, PositiveFloat], LIST_AS_TUPLE]


class _Interval(Fields):
    """Ranges are written [smallest, largest]."""

    @model_validator(mode="after")
    def _in_order(self) -> _Interval:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, tuple) and value[0] > value[1]:
                raise ValueError(f"`{name}` should be [smallest, largest]")
            if name == "area" and value[1] > 1:
                raise ValueError("`area` should be shares of the image, at most 1")
        return self


class RandomCrop(Fields):
    """A window of the image's own size, anywhere in the image with so many zeros around it."""

    principal: ClassVar[str | None] = "padding"
    padding: PositiveInt = Field(description="zeros added on each side, in pixels")


class RandomResizedCrop(_Interval):
    """A window of random area and aspect, scaled to the image's size (Szegedy et al. 2015)."""

    area: _Range = Field(default=(0.08, 1.0), description="share of the image that is seen")
    aspect: _Range = Field(default=(3 / 4, 4 / 3), description="width over height")


class Flip(Fields):
    """The mirrored image."""

    principal: ClassVar[str | None] = "probability"
    probability: Share = Field(default=0.5, description="how often")


class Rotation(Fields):
    """A rotation about the centre; what comes from outside is zero."""

    principal: ClassVar[str | None] = "degrees"
    degrees: Annotated[float, Field(gt=0, le=180)] = Field(description="at most so far, either way")


class Translation(Fields):
    """A shift by whole pixels; what comes from outside is zero."""

    principal: ClassVar[str | None] = "pixels"
    pixels: PositiveInt = Field(description="at most so far, either way")


class Scale(Fields):
    """The image made larger or smaller about its centre; what comes from outside is zero."""

    principal: ClassVar[str | None] = "amount"
    amount: Annotated[float, Field(gt=0, lt=1)] = Field(description="the factor lies within 1 ± this")


class Jitter(Fields):
    """A factor within 1 ± amount."""

    principal: ClassVar[str | None] = "amount"
    amount: Annotated[float, Field(gt=0, le=1)] = Field(description="the factor lies within 1 ± this")


class Cutout(Fields):
    """A square of zeros, centred anywhere in the image (DeVries & Taylor 2017)."""

    principal: ClassVar[str | None] = "size"
    size: PositiveInt = Field(description="side in pixels; it may hang over the edge")


class RandomErasing(_Interval):
    """A rectangle of noise within the image (Zhong et al. 2020)."""

    principal: ClassVar[str | None] = "probability"
    probability: Share = Field(default=0.5, description="how often")
    area: _Range = Field(default=(0.02, 0.4), description="share of the image that is erased")
    aspect: _Range = Field(default=(0.3, 1 / 0.3), description="width over height")


class MixUp(Fields):
    """Weighted means of two images and of their losses, the weight from Beta(α, α) (Zhang et al. 2018)."""

    principal: ClassVar[str | None] = "alpha"
    alpha: PositiveFloat = Field(default=0.2, description="α")


class CutMix(Fields):
    """A rectangle of another image; losses weigh by area, which is from Beta(α, α) (Yun et al. 2019)."""

    principal: ClassVar[str | None] = "alpha"
    alpha: PositiveFloat = Field(default=1.0, description="α")


class Augmentation(OneOf):
    """One random change, drawn anew for every image and every update."""

    random_crop: RandomCrop | None = Field(default=None, description="crop of the padded image")
    random_resized_crop: RandomResizedCrop | None = Field(default=None, description="crop that is scaled")
    horizontal_flip: Flip | None = Field(default=None, description="left for right")
    vertical_flip: Flip | None = Field(default=None, description="top for bottom")
    rotation: Rotation | None = Field(default=None, description="rotation about the centre")
    horizontal_translation: Translation | None = Field(default=None, description="shift to the left or right")
    vertical_translation: Translation | None = Field(default=None, description="shift up or down")
    scale: Scale | None = Field(default=None, description="larger or smaller")
    brightness: Jitter | None = Field(default=None, description="factor of the pixels")
    contrast: Jitter | None = Field(default=None, description="factor of the distance from the image's mean grey")
    saturation: Jitter | None = Field(default=None, description="factor of the distance from the pixel's own grey")
    cutout: Cutout | None = Field(default=None, description="a square of zeros")
    random_erasing: RandomErasing | None = Field(default=None, description="a rectangle of noise")
    mixup: MixUp | None = Field(default=None, description="weighted mean with another image of the batch")
    cutmix: CutMix | None = Field(default=None, description="a rectangle of another image of the batch")
