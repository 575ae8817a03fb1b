"""Whether training fits, as text, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from netcalc.analysis.fit import DeviceFit, Fit, Remedy, Tensor
from netcalc.render.layout import aligned, escape, table_row
from netcalc.units import format_bytes

NONE = "–"
_WORDS = ("device", "name", "fits", "limited by")
_LESS = ((), ("name",), ("name", "limited by"))
"""Columns to leave out, until a table fits."""


def fit_text(fit: Fit, width: int | None = None) -> str:
    """Return the answer for one device, or a line a device; with `width`, without columns that have no room."""
    if len(fit.devices) == 1:
        (device,) = fit.devices
        lines = [_heading(fit, device.name), "", *aligned(_answer(fit, device), (True, True), gap=2)]
        for title, rows in _lists(fit, device):
            lines += ["", title, *(f"  {row}" for row in aligned(rows, _sides(rows[0]), gap=2))]
        return "\n".join(lines) + "\n"
    for less in _LESS:
        columns = tuple(column for column in _columns(fit) if column not in less)
        head, *body = aligned([columns, *_rows(fit, columns)], _sides(columns), gap=2)
        across = max(map(len, (head, *body)))
        if width is None or across <= width:
            break
    return "\n".join((_heading(fit), "", head, "─" * across, *body, "", *_legend(fit))) + "\n"


def fit_markdown(fit: Fit) -> str:
    """Return the answer for one device as lists and tables, or a table with a row a device."""
    if len(fit.devices) == 1:
        (device,) = fit.devices
        lines = [f"### {escape(_heading(fit, device.name))}", ""]
        lines += [f"- **{escape(what)}**: {escape(how_much)}" for what, how_much in _answer(fit, device)]
        for title, (head, *body) in _lists(fit, device):
            lines += ["", f"**{escape(title)}**", "", *_markdown_table(head, body)]
        return "\n".join(lines) + "\n"
    columns = _columns(fit)
    lines = [f"### {escape(_heading(fit))}", "", *_markdown_table(columns, _rows(fit, columns)), ""]
    return "\n".join((*lines, *map(escape, _legend(fit)))) + "\n"


def fit_csv(fit: Fit) -> str:
    """Return one line a device, and below it one a remedy; a cell is empty where nothing is known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    limiting = ("limited_by_node", "limited_by_tensor", "limited_by_bytes")
    writer.writerow(("device", "change", "max_batch", *_FIGURES, *limiting, "note"))
    for device in fit.devices:
        figures = (_field(device, name) for name in _FIGURES)
        limit = device.limited_by
        tensor = (None, None, None) if limit is None else (limit.node, limit.tensor, limit.bytes)
        writer.writerow((device.device, None, device.max_batch, *figures, *tensor, device.note))
        blank = (None,) * (len(_FIGURES) + 4)
        writer.writerows((device.device, remedy.change, remedy.max_batch, *blank) for remedy in device.remedies)
    return text.getvalue()


def _field(device: DeviceFit, name: str) -> str | int | float | None:
    """Return a figure as programs read it; nothing is at least anything where no batch is known."""
    if device.max_batch is None and name == "at_least":
        return None
    value: str | int | float | None = getattr(device, name)
    return str(value).lower() if isinstance(value, bool) else value


def fit_json(fit: Fit) -> str:
    """Return the answer as JSON: the stable contract `netcalc.fit/1`."""
    return json.dumps(fit.to_dict(), indent=2, allow_nan=False) + "\n"


_FIGURES = (
    "at_least", "safe_batch", "fits", "memory_bytes", "usable_bytes", "needed_bytes", "margin_bytes",
    "mem_fraction", "peak_at",
)  # fmt: skip


def _heading(fit: Fit, where: str = "") -> str:
    asked = "" if fit.batch is None else f"batch {fit.batch:,}, "
    remat = "" if fit.remat == "none" else f", remat {fit.remat}"
    return f"{fit.name}: training{where and f' on {where}'}, {asked}{fit.optimizer}, {fit.precision}{remat}"


# One device


def _answer(fit: Fit, device: DeviceFit) -> list[tuple[str, str]]:
    """Return what is known of one device as pairs of what and how much."""
    if device.needed_bytes is None or device.margin_bytes is None:
        return [("memory", device.note)]
    usable = format_bytes(device.usable_bytes)
    judged = fit.batch or device.max_batch or 1
    needed = f"{format_bytes(device.needed_bytes)} for a batch of {judged:,}, one more fetched ahead included"
    margin = format_bytes(abs(device.margin_bytes))
    lines = [
        ("largest batch", _largest(device)),
        ("needed", needed),
        ("usable", usable),
        ("free", margin) if device.margin_bytes >= 0 else ("missing", margin),
        ("highest at", device.peak_at or NONE),
    ]
    if fit.batch is not None:
        verdict = "fits" if device.fits else "does not fit"
        lines.insert(0, (f"batch {fit.batch:,}", verdict))
    if device.mem_fraction is not None:
        lines.append(("set", f"XLA_CLIENT_MEM_FRACTION={device.mem_fraction:.2f}, by default JAX takes 0.75"))
    return lines


def _largest(device: DeviceFit) -> str:
    if device.max_batch == 0:
        return "none: not even one sample fits"
    safe = f", {device.safe_batch:,} at the upper end of the estimate" if device.safe_batch is not None else ""
    return f"{_batch(device)}{'' if device.safe_batch == device.max_batch else safe}"


def _lists(fit: Fit, device: DeviceFit) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Return titles with the rows below them, the first of which names the columns."""
    found: list[tuple[str, list[tuple[str, ...]]]] = []
    if device.largest:
        tensors = ((tensor.node, tensor.tensor, format_bytes(tensor.bytes)) for tensor in device.largest)
        found.append(("Largest tensors there", [("node", "tensor", "size"), *tensors]))
    if device.remedies:
        asked = () if fit.batch is None else (f"{fit.batch:,} fits",)
        remedies = (_remedy(remedy, device.max_batch or 0, fit.batch) for remedy in device.remedies)
        found.append(("Room for more", [("change", "largest batch", "gain", *asked), *remedies]))
    return found


def _remedy(remedy: Remedy, most: int, asked: int | None) -> tuple[str, ...]:
    gain = f"× {remedy.max_batch / most:.2f}" if most else NONE
    verdict = () if asked is None else (_yes_or_no(remedy.max_batch >= asked),)
    return (remedy.change, f"{remedy.max_batch:,}", gain, *verdict)


# Several devices


def _columns(fit: Fit) -> tuple[str, ...]:
    verdict = () if fit.batch is None else ("fits",)
    return ("device", "name", *verdict, "largest batch", "needed", "usable", "free", "limited by")


def _rows(fit: Fit, columns: Sequence[str]) -> list[tuple[str, ...]]:
    return [_cells(device, columns) for device in fit.devices]


def _cells(device: DeviceFit, columns: Sequence[str]) -> tuple[str, ...]:
    needed, margin = device.needed_bytes, device.margin_bytes
    found = {
        "device": device.device,
        "name": device.name,
        "fits": NONE if device.fits is None else _yes_or_no(device.fits),
        "largest batch": _batch(device),
        "needed": NONE if needed is None else format_bytes(needed),
        "usable": format_bytes(device.usable_bytes),
        "free": NONE if margin is None else f"{'-' if margin < 0 else ''}{format_bytes(abs(margin))}",
        "limited by": NONE if device.limited_by is None else _tensor(device.limited_by),
    }
    return tuple(found[column] for column in columns)


def _legend(fit: Fit) -> list[str]:
    lines = ["`--device NAME` tells more of one: what is largest, and which changes make room."]
    if any(device.max_batch is None for device in fit.devices):
        lines.insert(
            0, f"{NONE} no rule for the memory of a TPU or CPU; `netcalc analyze --exact` asks the compiler."
        )
    return lines


def _batch(device: DeviceFit) -> str:
    if device.max_batch is None:
        return NONE
    return f"{'≥ ' if device.at_least else ''}{device.max_batch:,}"


def _tensor(tensor: Tensor) -> str:
    return f"{tensor.tensor} of {tensor.node}, {format_bytes(tensor.bytes)}"


def _yes_or_no(answer: bool) -> str:
    return "yes" if answer else "no"


def _sides(columns: Sequence[str]) -> list[bool]:
    return [column in (*_WORDS, "node", "tensor", "change") for column in columns]


def _markdown_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    rule = "|".join(":--" if is_word else "--:" for is_word in _sides(head))
    return [table_row(map(escape, head)), f"|{rule}|", *(table_row(map(escape, row)) for row in body)]
