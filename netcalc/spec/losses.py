"""The `loss:` and `losses:` of a training: what an update makes smaller."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, NonNegativeFloat, PositiveFloat, Tag

from netcalc.choice import LIST_AS_TUPLE, Fields, OneOf

BALANCED = "balanced"


def _some_positive(value: tuple[float, ...]) -> tuple[float, ...]:
    if not any(value):
        raise ValueError("should weigh one class at least")
    return value


def _word_or_list(value: Any) -> Any:
    if value == BALANCED or isinstance(value, list | tuple):
        return value
    raise ValueError(f"should be {BALANCED} or a list of numbers, one for each class")


def _number_or_list(value: Any) -> Any:
    if isinstance(value, int | float | list | tuple) and not isinstance(value, bool):
        return value
    raise ValueError("should be a number or a list of numbers, one for each class")


_Weights = Annotated[
    tuple[NonNegativeFloat, ...], LIST_AS_TUPLE, Field(min_length=2), AfterValidator(_some_positive)
]
ClassWeights = Annotated[
    Annotated[Literal["balanced"], Tag("(word)")] | Annotated[_Weights, Tag("(list)")],
    Discriminator(lambda value: "(word)" if isinstance(value, str) else "(list)"),
    BeforeValidator(_word_or_list),
]
PositiveWeight = Annotated[
    Annotated[PositiveFloat, Tag("(number)")]
    | Annotated[Annotated[tuple[PositiveFloat, ...], LIST_AS_TUPLE, Field(min_length=1)], Tag("(list)")],
    Discriminator(lambda value: "(list)" if isinstance(value, list | tuple) else "(number)"),
    BeforeValidator(_number_or_list),
]
Ignored = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
Smoothing = Annotated[float, Field(ge=0, lt=1)]


class Loss(Fields):
    """What all losses have: their weight in the sum of several."""

    weight: PositiveFloat = Field(default=1.0, description="factor of the loss in the sum of several outputs'")


class CrossEntropy(Loss):
    """−log p of the true class, p the softmax of the outputs; of a mask the mean over its pixels."""

    label_smoothing: Smoothing = Field(
        default=0.0,
        description="ε: the target is 1 − ε for the true class, and ε spread evenly over all (Szegedy et al. 2016)",
    )
    class_weights: ClassWeights | None = Field(
        default=None,
        description="factor of each class's part of the loss; balanced: N / (classes · samples of the class) in "
        "the training set, whose mean over its samples is 1",
    )
    ignore: Ignored | None = Field(
        default=None, description="label of the pixels that do not count, such as 255; of masks only"
    )


class BinaryCrossEntropy(Loss):
    """−y log p − (1 − y) log(1 − p) with p = 1 / (1 + e⁻ˣ), the mean over the outputs of a sample."""

    label_smoothing: Smoothing = Field(default=0.0, description="ε: the targets are 1 − ε/2 and ε/2")
    positive_weight: PositiveWeight = Field(
        default=1.0, description="factor of −y log p, one for all outputs or one each: above 1 where few y are 1"
    )
    ignore: Ignored | None = Field(
        default=None, description="label of the pixels that do not count, such as 255; of masks only"
    )


class HalfMse(Loss):
    """½‖h(x) − y‖², so that the mean over a batch is E = 1/(2N) Σ‖h(x) − y‖² (equation 4 of the notes)."""


class Huber(Loss):
    """½r² where |r| ≤ δ, δ(|r| − ½δ) beyond, r = h(x) − y, summed over outputs (Huber 1964)."""

    principal: ClassVar[str | None] = "delta"

    delta: PositiveFloat = Field(default=1.0, description="δ: the largest error that counts by its square")


class LossSpec(OneOf):
    """The loss of an output."""

    cross_entropy: CrossEntropy | None = Field(
        default=None, description="softmax and −log p of the true class, of a sample or of each pixel"
    )
    binary_cross_entropy: BinaryCrossEntropy | None = Field(
        default=None,
        description="logistic function and cross-entropy of each output by itself: several labels, or two classes",
    )
    half_mse: HalfMse | None = Field(
        default=None, description="E = 1/(2N) Σ‖h(x) − y‖² of numbers, or with one-of-N targets of classes"
    )
    huber: Huber | None = Field(
        default=None, description="half_mse that grows no faster than linearly from `delta` on"
    )

    @property
    def applied(self) -> str | None:
        """The kind of layer that the loss applies itself: a softmax, a logistic function, or none."""
        return _APPLIED.get(self.kind)

    @property
    def is_balanced(self) -> bool:
        """Whether classes are weighted by how many samples they have."""
        return isinstance(self.chosen, CrossEntropy) and self.chosen.class_weights == BALANCED

    @property
    def ignored(self) -> int | None:
        """The label of the pixels that do not count, None where all do."""
        chosen = self.chosen
        return chosen.ignore if isinstance(chosen, CrossEntropy | BinaryCrossEntropy) else None


_APPLIED = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}
