"""Layers by what they do to values, in the words of specs: what rules of design know of them."""

from __future__ import annotations

RECTIFIERS = ("relu", "relu6")
"""Activations without a gradient below 0."""

SATURATING = ("sigmoid", "tanh", "softsign", "hard_sigmoid")
"""Activations whose gradient vanishes on both sides."""

ACTIVATIONS = (
    *RECTIFIERS, *SATURATING, "leaky_relu", "prelu", "abs", "crelu", "maxout", "hard_swish", "elu", "selu", "celu",
    "softplus", "silu", "mish", "gelu",
)  # fmt: skip

NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm")
"""Layers that take the scale of their input away."""

DROPOUTS = ("dropout", "spatial_dropout", "drop_path")

ARRANGEMENTS = ("flatten", "reshape", "crop", "slice", "channel_shuffle")
"""Layers that leave each value as it is."""

AVERAGES = ("avg_pool", "adaptive_avg_pool", "global_avg_pool")
POOLS = ("max_pool", "stochastic_pool", "global_max_pool", *AVERAGES)

AFFINE = (*DROPOUTS, *ARRANGEMENTS, *AVERAGES, "batch_norm", "layer_scale", "pad")
"""Layers without weights across channels that are affine at inference: two linear layers around one are one."""
