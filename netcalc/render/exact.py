"""What a compiler assigns to a training step, beside the model's figures: as text and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netcalc.analysis.exact import DoesNotFit, ExactMemory
from netcalc.analysis.report import Report
from netcalc.render.figures import compiled_parts
from netcalc.render.layout import aligned, escape, table_row
from netcalc.units import format_bytes, plural

_NONE = "–"
"""What stands for a part that one side does not know."""

_COMPARED = ("part", "compiler", "model", "difference")
_COMPARED_LEFT = (True, False, False, False)
_BUFFERS = ("bytes", "type", "part", "node", "operation")
_BUFFERS_LEFT = (False, True, True, True, True)


def compiled_text(report: Report) -> list[str]:
    """Return the lines of what the compiler said of a report's step; nothing where it was not asked."""
    memory = report.totals.memory
    if memory is None:
        return []
    if memory.exact is not None:
        return exact_text(memory.exact, compiled_parts(report))
    return refusal_lines(memory.refused) if memory.refused is not None else []


def compiled_markdown(report: Report) -> list[str]:
    """Return the same as Markdown."""
    memory = report.totals.memory
    if memory is None:
        return []
    if memory.exact is not None:
        return exact_markdown(memory.exact, compiled_parts(report))
    return list(map(escape, refusal_lines(memory.refused))) if memory.refused is not None else []


def exact_text(exact: ExactMemory, model: Mapping[str, int]) -> list[str]:
    """Return the lines of an exact analysis; `model` has the bytes of the fast model's parts, or nothing."""
    lines = [verdict(exact), ""]
    lines += _text_table((_COMPARED, *compared_parts(exact.parts, model)), _COMPARED_LEFT)
    if exact.largest:
        lines += ["", _largest(exact), *_text_table((_BUFFERS, *_buffers(exact)), _BUFFERS_LEFT)]
    return [*lines, "", *notes(exact)]


def exact_markdown(exact: ExactMemory, model: Mapping[str, int]) -> list[str]:
    """Return the same as Markdown."""
    lines = [escape(verdict(exact)), ""]
    lines += _markdown_table((_COMPARED, *compared_parts(exact.parts, model)), _COMPARED_LEFT)
    if exact.largest:
        lines += ["", escape(_largest(exact)), ""]
        lines += _markdown_table((_BUFFERS, *_buffers(exact)), _BUFFERS_LEFT)
    return [*lines, "", *(f"- {escape(note)}" for note in notes(exact))]


def refusal_lines(refusal: DoesNotFit) -> list[str]:
    """Return why a step was not compiled: what it needs and what the device has, or the compiler's own words."""
    if refusal.needed_bytes is None or refusal.memory_bytes is None:
        return [f"does not fit {refusal.device}: {refusal.said}"]
    needed, memory = format_bytes(refusal.needed_bytes), format_bytes(refusal.memory_bytes)
    return [f"does not fit {refusal.device}: {needed} needed, {memory} there", f"({refusal.said})"]


def verdict(exact: ExactMemory) -> str:
    """Return the total, whether it fits, and who says so."""
    total = f"{exact.total_bytes:,} bytes ({format_bytes(exact.total_bytes)}) a step on {exact.device}"
    if exact.memory_bytes is None:
        return total
    fits = "fits" if exact.fits else "does not fit"
    return f"{total}: {fits} its {format_bytes(exact.memory_bytes)}"


def notes(exact: ExactMemory) -> list[str]:
    """Return how the figures came about and what they leave out."""
    lines = [f"compiled by {exact.compiler} in {exact.seconds:.1f} s, without the device"]
    if exact.rematerialized:
        lines.append(f"to save memory, {plural(exact.rematerialized, 'operation')} of the step run once more")
    return lines + [f"not included: {what}" for what in exact.excludes]


def compared_parts(exact: Mapping[str, int], model: Mapping[str, int]) -> list[tuple[str, ...]]:
    """Return a row a part: the compiler's bytes, the model's, and the model's less the compiler's; then totals.

    A part that one side does not have has no figure there and no difference; one that is 0 on both is left out.
    """
    names = [name for name in {**exact, **model} if exact.get(name) or model.get(name)]
    rows = [_compared(name, exact.get(name), model.get(name)) for name in names]
    total = _compared("total", sum(exact.values()), sum(model.values()) if model else None)
    return [*rows, total]


def _compared(name: str, exact: int | None, model: int | None) -> tuple[str, ...]:
    difference = _NONE if exact is None or model is None else f"{model - exact:+,}"
    return (name.replace("_", " "), _number(exact), _number(model), difference)


def _number(value: int | None) -> str:
    return _NONE if value is None else f"{value:,}"


def _largest(exact: ExactMemory) -> str:
    where = f"at {exact.peak_node}" if exact.peak_node else "outside the network's nodes"
    return f"the peak stands {where}; the largest buffers there, arguments apart:"


def _buffers(exact: ExactMemory) -> list[tuple[str, ...]]:
    return [(f"{b.bytes:,}", b.type, b.part.replace("_", " "), b.node or _NONE, b.operation) for b in exact.largest]


def _text_table(rows: Sequence[Sequence[str]], left: Sequence[bool]) -> list[str]:
    return [f" {line}".rstrip() for line in aligned(rows, left, gap=3)]


def _markdown_table(rows: Sequence[Sequence[str]], left: Sequence[bool]) -> list[str]:
    head, *body = rows
    sides = (":--" if is_left else "--:" for is_left in left)
    return [table_row(head), f"|{'|'.join(sides)}|", *(table_row(map(escape, row)) for row in body)]
