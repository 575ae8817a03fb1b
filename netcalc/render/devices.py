"""Devices for people: a table of several, and one in full."""

from __future__ import annotations

from collections.abc import Sequence

from netcalc.analysis.devices import PRECISIONS, Device, Precision
from netcalc.render.layout import aligned, escape
from netcalc.units import BINARY_BYTE_UNITS, format_bytes

NONE = "–"
LEGEND = (
    f"Peaks in TFLOP/s, dense. {NONE} where the hardware lacks the precision or the vendor gives no figure; "
    "~ estimated."
)
_PEAKS: dict[str, Precision] = {"fp32": "float32", "tf32": "tensorfloat32", "bf16": "bfloat16", "fp16": "float16"}
"""Columns of peaks, in the short names of the precisions."""
_WORDS = ("device", "name")
_LESS = ((), ("name",), ("name", "usable"))
"""Columns to leave out, until a table fits."""


def headings(devices: Sequence[Device]) -> tuple[str, ...]:
    """Return the columns of a table; one of prices where there are any."""
    price = ("price",) if any(device.price_per_hour is not None for device in devices) else ()
    return ("device", "name", "memory", "usable", "bandwidth", *_PEAKS, *price)


def cells(device: Device, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the cells of one device."""
    found = {
        "device": device.key,
        "name": device.name,
        "memory": format_bytes(device.memory_bytes, BINARY_BYTE_UNITS),
        "usable": _usable(device),
        "bandwidth": f"{format_bytes(device.bandwidth_bytes_per_second)}/s",
        "price": _price(device),
        **{column: _rate(device.peak.of(precision)) for column, precision in _PEAKS.items()},
    }
    return tuple(found[column] for column in columns)


def devices_text(devices: Sequence[Device], width: int | None = None) -> str:
    """Return one line a device, as wide as it needs to be; with `width`, without columns that have no room."""
    for less in _LESS:
        columns = tuple(column for column in headings(devices) if column not in less)
        lines = _lines(devices, columns)
        if width is None or max(map(len, lines)) <= width:
            break
    return "\n".join((*lines, "", LEGEND)) + "\n"


def _lines(devices: Sequence[Device], columns: Sequence[str]) -> list[str]:
    rows = [columns, *(cells(device, columns) for device in devices)]
    head, *body = aligned(rows, [column in _WORDS for column in columns], gap=2)
    return [head, "─" * max(map(len, (head, *body))), *body]


def devices_markdown(devices: Sequence[Device]) -> str:
    """Return a table with one row a device."""
    columns = headings(devices)
    rule = ("--" if column in _WORDS else "--:" for column in columns)
    rows = (columns, rule, *(map(escape, cells(device, columns)) for device in devices))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + f"\n\n{escape(LEGEND)}\n"


def device_text(device: Device) -> str:
    """Return everything that is known of one device."""
    launch = device.launch_seconds
    lines = [
        ("device", ", ".join((device.key, *device.aliases))),
        ("kind", device.kind),
        ("memory", f"{format_bytes(device.memory_bytes, BINARY_BYTE_UNITS)}, {device.memory_bytes:,} bytes"),
        ("usable", f"{_usable(device)}, {device.usable_bytes:,} bytes by one process" + _how_usable(device)),
        ("bandwidth", f"{format_bytes(device.bandwidth_bytes_per_second)}/s"),
    ]
    lines += [
        (precision, f"{_rate(rate)} TFLOP/s, dense")
        for precision in PRECISIONS
        if (rate := device.peak.of(precision)) is not None
    ]
    lines.append(("products", f"of float32 are computed in {device.float32_products} by default"))
    if launch is not None:
        lines.append(("kernel", f"takes {1e6 * launch:g} µs at least, an assumption"))
    if device.price_per_hour is not None:
        lines.append(("price", f"{_price(device)} an hour"))
    if device.note:
        lines.append(("note", device.note))
    lines.append(("source", " ".join(filter(None, (device.source.title, device.source.address)))))
    return "\n".join((device.name, "", *aligned(lines, (True, True), gap=2))) + "\n"


def _usable(device: Device) -> str:
    return ("~" if device.usable_is_estimate else "") + format_bytes(device.usable_bytes, BINARY_BYTE_UNITS)


def _how_usable(device: Device) -> str:
    return ", estimated as 15/16 of the memory" if device.usable_is_estimate else ""


def _rate(rate: int | None) -> str:
    """Return a rate in TFLOP/s with as many digits as it is given with."""
    return NONE if rate is None else f"{rate / 1e12:,.12g}"


def _price(device: Device) -> str:
    return NONE if device.price_per_hour is None else f"{device.price_per_hour:g} {device.currency}"
