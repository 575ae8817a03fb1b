"""Dense layers: every unit reads every input."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from netcalc.layers.base import (
    Flag,
    Inferred,
    Kernel,
    Layer,
    ParamSpec,
    PositiveInt,
    TensorType,
)
from netcalc.layers.initializer import Initializer, initializer


class Dense(Layer):
    """Affine map of the last axis, y = xW + b, with W of shape (inputs, units).

    A map with spatial axes keeps them, as a 1×1 convolution would; put `flatten` before to read all of it.
    """

    kind: ClassVar[str] = "dense"
    principal: ClassVar[str | None] = "units"

    units: PositiveInt = Field(description="number of outputs")
    bias: Flag = Field(default=True, description="add one trained offset per unit")
    init: Initializer = Field(
        default_factory=lambda: initializer("glorot_normal"), description="how the weights start"
    )
    bias_init: Initializer = Field(default_factory=lambda: initializer("zeros"), description="how the bias starts")

    def infer(self, *inputs: TensorType) -> Inferred:
        """(inputs + 1)·units parameters and inputs·units MACs for each position."""
        (x,) = inputs
        output = TensorType((*x.sides, self.units))
        params = {
            "kernel": ParamSpec(
                (x.channels, self.units),
                axes="io",
                role="weight",
                init=self.init,
                fan_in=x.channels,
                fan_out=self.units,
            )
        }
        kernels = [Kernel("gemm", macs=output.size * x.channels)]
        if self.bias:
            params["bias"] = ParamSpec((self.units,), "o", "bias", self.bias_init, x.channels, self.units)
            kernels.append(Kernel("elementwise", flops=output.size))
        return Inferred(output, params, kernels=tuple(kernels))
