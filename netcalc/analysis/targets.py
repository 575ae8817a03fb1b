"""Devices that XLA can compile for without having them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from netcalc.diagnostics import CannotRunError, did_you_mean

Platform = Literal["gpu", "tpu", "cpu"]

INSTALL: Mapping[Platform, str] = {
    "gpu": "`pip install 'netcalc-nn[exact-gpu]'`",
    "tpu": "`pip install 'netcalc-nn[exact-tpu]'`",
    "cpu": "`pip install netcalc-nn`",
}
"""The command that installs the compiler for a platform."""


@dataclass(frozen=True, slots=True)
class Target:
    """A device that XLA can compile for without having it.

    `description` is the name of a target configuration for a GPU, that of a topology for a TPU.
    """

    key: str
    platform: Platform
    description: str
    aliases: tuple[str, ...] = ()


TARGETS: tuple[Target, ...] = (
    Target("t4", "gpu", "t4"),
    Target("a10", "gpu", "a10"),
    Target("rtx-3090", "gpu", "rtx-3090", ("3090",)),
    Target("l4", "gpu", "l4"),
    Target("l40s", "gpu", "l40s"),
    Target("rtx-4090", "gpu", "rtx-4090", ("4090",)),
    Target("rtx-5090", "gpu", "rtx-5090", ("5090",)),
    Target("a100-40gb", "gpu", "a100-40gb"),
    Target("a100-80gb", "gpu", "a100", ("a100",)),
    Target("h100-sxm", "gpu", "h100", ("h100", "h100-80gb")),
    Target("h200", "gpu", "h200"),
    Target("b200", "gpu", "b200"),
    Target("tpu-v2", "tpu", "v2:2x2", ("v2",)),
    Target("tpu-v3", "tpu", "v3:2x2", ("v3",)),
    Target("tpu-v4", "tpu", "v4:2x2x1", ("v4",)),
    Target("tpu-v5e", "tpu", "v5e:1x1", ("v5e",)),
    Target("tpu-v5p", "tpu", "v5p:2x2x1", ("v5p",)),
    Target("tpu-v6e", "tpu", "v6e:1x1", ("v6e",)),
    Target("tpu7x", "tpu", "tpu7x:2x2x1", ("v7x",)),
    Target("cpu", "cpu", "cpu"),
)
"""Every device that a step can be compiled for; keys and aliases are those of the device database."""


def find_target(name: str) -> Target:
    """Return the target of a key or an alias; case does not matter.

    Raises CannotRunError, with the names that are known, where there is none.
    """
    wanted = name.casefold()
    for target in TARGETS:
        if wanted in (target.key, *target.aliases):
            return target
    hint = did_you_mean(wanted, [name for target in TARGETS for name in (target.key, *target.aliases)])
    raise CannotRunError(f"no step can be compiled for `{name}`: netcalc cannot describe it to XLA", hint)
