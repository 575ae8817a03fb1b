"""Which device computes: what was asked for, never something else in silence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import jax

from netcalc.diagnostics import CannotRunError
from netcalc.train.absent_driver import absent_driver_unsaid

JaxDevice = jax.Device


def choose_device(wanted: str) -> jax.Device:
    """Return the device for `auto`, `cpu`, `gpu` or `tpu`; raises CannotRunError where it is not there."""
    # Who asks for a GPU is told why there is none.
    unsaid = nullcontext() if wanted == "gpu" else absent_driver_unsaid()
    try:
        with unsaid:
            return _devices(None if wanted == "auto" else wanted)[0]
    except RuntimeError:
        raise _absent(wanted) from None


@contextmanager
def computing_on(wanted: str) -> Iterator[jax.Device]:
    """Let JAX compute on the device that `choose_device` returns, and yield it."""
    device = choose_device(wanted)
    with jax.default_device(device):
        yield device


def describe(device: jax.Device) -> str:
    """Return `cpu (TFRT_CPU_0)`, `gpu (NVIDIA H100 80GB HBM3)`."""
    kind = device.device_kind if device.device_kind != device.platform else str(device)
    return f"{device.platform} ({kind})"


def _devices(platform: str | None) -> list[jax.Device]:
    try:
        return jax.devices(platform)
    except AssertionError as error:  # what JAX raises where none of the platforms of JAX_PLATFORMS is there
        raise RuntimeError(str(error)) from None


def _absent(wanted: str) -> CannotRunError:
    """Return why there is no such device: what JAX sees instead, or that it cannot start at all."""
    try:
        seen = ", ".join(sorted({device.platform for device in _devices(None)}))
    except RuntimeError as error:
        only = os.environ.get("JAX_PLATFORMS")
        return CannotRunError(
            "JAX finds no device here" + (f" ({error})" if str(error) else ""),
            help=f"JAX_PLATFORMS is `{only}`: unset it to let JAX choose"
            if only
            else "see docs.jax.dev, Installation",
        )
    return CannotRunError(
        f"no {wanted} here: JAX sees {seen}",
        help=f"leave out --device to use {seen}, or install JAX for your {wanted} (docs.jax.dev, Installation)",
    )
