"""The configurations whose compiled memory the model is held to, split by family before any rule was fitted.

Rules were fitted on the families of FITTED alone; those of HELD_OUT tell how well they carry over. Networks that
concatenate are in both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Configuration:
    """A network of the zoo and how it is trained."""

    network: str
    batch: int
    optimizer: str = "momentum"
    precision: str = "float32"
    remat: str = "none"
    clip: bool = False
    ema: bool = False
    accumulate: int = 1

    @property
    def key(self) -> str:
        """A name for tables and the data file."""
        parts = [self.network, f"b{self.batch}", self.optimizer, self.precision]
        parts += [self.remat] if self.remat != "none" else []
        parts += ["clip"] if self.clip else []
        parts += ["ema"] if self.ema else []
        parts += [f"accumulate {self.accumulate}"] if self.accumulate > 1 else []
        return " ".join(parts)

    def update(self) -> dict[str, object]:
        """The keys of `train:` that it sets."""
        keys: dict[str, object] = {
            "batch_size": self.batch,
            "optimizer": self.optimizer,
            "precision": self.precision,
            "remat": self.remat,
        }
        if self.clip:
            keys["clip"] = {"norm": 1.0}
        if self.ema:
            keys["ema"] = 0.999
        if self.accumulate > 1:
            keys["accumulate"] = self.accumulate
        return keys


def _spread(network: str, small: int, middle: int, large: int) -> tuple[Configuration, ...]:
    """Three batches, float32 and mixed precision, momentum and Adam."""
    return (
        Configuration(network, small, "adam"),
        Configuration(network, middle),
        Configuration(network, large, "momentum", "mixed"),
    )


FITTED: dict[str, tuple[Configuration, ...]] = {
    "lenet": (*_spread("lenet5", 16, 64, 1024), Configuration("lenet5", 256, "sgd")),
    "alexnet": (
        *_spread("alexnet", 8, 64, 256),
        Configuration("alexnet", 256, clip=True),
        Configuration("alexnet", 64, ema=True),
    ),
    "vgg": (
        *_spread("vgg16", 8, 32, 64),
        *_spread("vgg11", 4, 64, 128),
        Configuration("vgg16", 8, clip=True),
        Configuration("vgg16", 16, "adam", "bfloat16"),
        Configuration("vgg16", 8, accumulate=4),
        Configuration("vgg16", 8, "muon"),
    ),
    "resnet": (
        *_spread("resnet18", 8, 64, 128),
        *_spread("resnet50", 8, 64, 128),
        Configuration("resnet50", 64, remat="conv_outputs"),
        Configuration("resnet50", 64, clip=True),
        Configuration("resnet50", 32, "adam", "bfloat16"),
        Configuration("resnet50", 256),
        Configuration("resnet50", 32, "adam", "mixed", accumulate=8),
        Configuration("resnet18", 64, "muon"),
        Configuration("resnet18", 64, "lamb"),
    ),
    "densenet": (*_spread("densenet121", 8, 32, 64), Configuration("densenet121", 32, remat="conv_outputs")),
    "googlenet": _spread("googlenet", 8, 64, 128),
    "mobilenet_v2": (*_spread("mobilenet_v2", 8, 32, 128), Configuration("mobilenet_v2", 64, remat="conv_outputs")),
    "efficientnet": _spread("efficientnet_b0", 8, 32, 64),
    "convnext": _spread("convnext_tiny", 8, 32, 64),
    "unet_valid": _spread("unet_valid", 1, 2, 4),
    "audio": _spread("m5", 8, 32, 128),
}

HELD_OUT: dict[str, tuple[Configuration, ...]] = {
    "zfnet": (
        *_spread("zfnet", 8, 64, 128),
        Configuration("zfnet", 128, clip=True),
        Configuration("zfnet", 64, "adam", accumulate=2),
    ),
    "nin": (*_spread("nin", 8, 64, 128), Configuration("nin", 64, accumulate=2, clip=True)),
    "resnet_cifar": (
        *_spread("resnet20", 16, 128, 512),
        *_spread("resnet110", 16, 64, 128),
        Configuration("resnet20", 128, "lars"),
    ),
    "wide_resnet": (*_spread("wrn_28_10", 8, 32, 64), Configuration("wide_resnet50_2", 32)),
    "resnext": (*_spread("resnext50", 8, 32, 64), Configuration("resnext50", 32, remat="conv_outputs")),
    "preact": _spread("preact_resnet110", 16, 64, 128),
    "inception": _spread("inception_v3", 8, 32, 64),
    "squeezenet": _spread("squeezenet1_1", 8, 64, 128),
    "mobilenet_v1": (*_spread("mobilenet_v1", 8, 64, 128), Configuration("mobilenet_v1", 64, remat="conv_outputs")),
    "mobilenet_v3": _spread("mobilenet_v3_large", 8, 64, 128),
    "shufflenet": _spread("shufflenet_v2_x1_0", 8, 64, 128),
    "xception": _spread("xception", 4, 16, 32),
    "unet_same": _spread("unet_same", 1, 2, 4),
    "lecture": (*_spread("lecture/stride2", 8, 64, 256), Configuration("lecture/padded", 16)),
    "c3d": _spread("c3d", 2, 8, 16),
}

EVERY = tuple(c for family in (FITTED | HELD_OUT).values() for c in family)
