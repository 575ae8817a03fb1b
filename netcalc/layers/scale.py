"""Trained factors without a normalisation."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from netcalc.layers.base import Inferred, Kernel, Layer, ParamSpec, TensorType
from netcalc.layers.initializer import constant


class LayerScale(Layer):
    """γx with a trained γ per channel (Touvron et al. 2021), so small at first that a residual body hardly acts."""

    kind: ClassVar[str] = "layer_scale"
    principal: ClassVar[str | None] = "init"

    init: float = Field(default=1e-6, description="where the factors γ start")

    def infer(self, *inputs: TensorType) -> Inferred:
        """Same shape; a factor per channel; one FLOP per element."""
        (x,) = inputs
        scale = ParamSpec((x.channels,), "o", "scale", constant(self.init))
        kernel = Kernel("elementwise", flops=x.size, saves="input")
        return Inferred(TensorType(x.shape), {"scale": scale}, kernels=(kernel,))
