"""Devices as JSON and CSV, for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from netcalc.analysis.devices import PRECISIONS, Device

FORMAT = "netcalc.devices/1"


def devices_json(devices: Sequence[Device]) -> str:
    """Return devices as JSON: null for a rate that there is not, and for what is not known."""
    return json.dumps({"format": FORMAT, "devices": list(map(_record, devices))}, indent=2, allow_nan=False) + "\n"


def devices_csv(devices: Sequence[Device]) -> str:
    """Return one line a device, in bytes and FLOP/s, with an empty cell where there is no figure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rates = [f"peak_{precision}" for precision in PRECISIONS]
    places = ("source_title", "source_address")
    writer.writerow((*_PLAIN, *rates, *places))
    for device in devices:
        peak = (device.peak.of(precision) for precision in PRECISIONS)
        source = (device.source.title, device.source.address)
        writer.writerow((*(getattr(device, name) for name in _PLAIN), *peak, *source))
    return text.getvalue()


_PLAIN = (
    "key", "name", "kind", "memory_bytes", "usable_bytes", "usable_is_estimate", "bandwidth_bytes_per_second",
    "float32_products", "launch_seconds", "price_per_hour", "currency",
)  # fmt: skip


def _record(device: Device) -> dict[str, Any]:
    record = asdict(device)
    peak = record.pop("peak")
    return record | {"peak_flops_per_second": peak, "launch_seconds": device.launch_seconds}
