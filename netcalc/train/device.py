"""Which device computes: what was asked for, never something else in silence."""

from __future__ import annotations

import jax

from netcalc.diagnostics import CannotRunError


def choose_device(wanted: str) -> jax.Device:
    """Return the device for `auto`, `cpu`, `gpu` or `tpu`; raises CannotRunError where it is not there."""
    try:
        return jax.devices(None if wanted == "auto" else wanted)[0]
    except RuntimeError:
        seen = ", ".join(sorted({device.platform for device in jax.devices()}))
        raise CannotRunError(
            f"no {wanted} here: JAX sees {seen}",
            help=f"leave out --device to use {seen}, or install JAX for your {wanted} (docs.jax.dev, Installation)",
        ) from None


def describe(device: jax.Device) -> str:
    """Return `cpu (TFRT_CPU_0)`, `gpu (NVIDIA H100 80GB HBM3)`."""
    kind = device.device_kind if device.device_kind != device.platform else str(device)
    return f"{device.platform} ({kind})"
