"""Which of the devices whose figures are known a program computes on, by the name that the driver gives it."""

from __future__ import annotations

from collections.abc import Mapping

from netcalc.analysis.devices import Device, Devices

_KEYS: Mapping[str, str] = {
    "NVIDIA A100-PCIE-40GB": "a100-40gb-pcie",
    "NVIDIA A100-SXM4-40GB": "a100-40gb",
    "NVIDIA A100-SXM4-80GB": "a100-80gb",
    "NVIDIA A100 80GB PCIe": "a100-80gb-pcie",
    "NVIDIA B200": "b200",
    "NVIDIA H100 80GB HBM3": "h100-sxm",
    "NVIDIA H100 PCIe": "h100-pcie",
    "NVIDIA H100 NVL": "h100-nvl",
    "NVIDIA H200": "h200",
    "Tesla P100-PCIE-16GB": "p100",
    "Tesla P100-SXM2-16GB": "p100-sxm2",
    "Tesla T4": "t4",
    "Tesla V100-SXM2-16GB": "v100-16gb",
    "Tesla V100-SXM2-32GB": "v100-32gb",
    "TPU v2": "tpu-v2",
    "TPU v3": "tpu-v3",
    "TPU v4": "tpu-v4",
    "TPU v5 lite": "tpu-v5e",
    "TPU v5": "tpu-v5p",
    "TPU v6 lite": "tpu-v6e",
}
"""Devices by what drivers call them, where that is not their name."""


def present_device(kind: str, devices: Devices) -> Device | None:
    """Return the device that JAX calls by this `device_kind`, None where no figures of it are known."""
    if kind in _KEYS:
        return devices.get(_KEYS[kind])
    return next((device for device in devices.values() if device.name.casefold() == kind.casefold()), None)
