"""The comparison with other tools as text, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from itertools import chain

from netcalc.analysis.other_tools import Comparison, ToolFigures
from netcalc.render.layout import aligned, escape, table_row

_COLUMNS = ("tool", "prints", "unit", "parameters", "difference in MACs")
_LEFT = (True, False, True, False, False)
_NONE = "–"
"""What stands for a figure that a tool does not print."""


def tools_text(comparison: Comparison) -> str:
    """Return a row a tool, and below it what each difference is made of."""
    head, *body = aligned([_COLUMNS, *(_row(tool, comparison) for tool in comparison.tools)], _LEFT, gap=3)
    lines = [
        _heading(comparison),
        "",
        f" {head}",
        f" {'─' * max(map(len, (head, *body)))}",
        *(f" {r}" for r in body),
    ]
    for tool in comparison.tools:
        lines += ["", tool.tool]
        lines += [f"  {line}" for line in aligned(_items(tool), (False, True), gap=2)]
        lines += [f"  {line}" for line in (*_besides(tool), tool.note) if line]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def tools_markdown(comparison: Comparison) -> str:
    """Return a table with a row a tool, and a list of what each difference is made of."""
    lines = [f"### {escape(_heading(comparison))}", "", table_row(_COLUMNS), "|:--|--:|:--|--:|--:|"]
    lines += [table_row(map(escape, _row(tool, comparison))) for tool in comparison.tools]
    lines.append("")
    for tool in comparison.tools:
        items = (f"{amount} {what}" for amount, what in _items(tool))
        parts = ["".join(f"{item}; " for item in items).rstrip(), *_besides(tool), tool.note]
        lines.append(f"- **{escape(tool.tool)}**: {escape(' '.join(filter(None, parts)))}")
    return "\n".join(lines) + "\n"


def tools_csv(comparison: Comparison) -> str:
    """Return one line an item, with its tool's own figures; empty cells for what a tool does not print."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("tool", "unit", "printed", "counted", "params", "activations", "item", "macs"))
    for tool in comparison.tools:
        figures = (tool.tool, tool.unit, tool.printed, tool.counted, tool.params, tool.activations)
        if tool.counted is None:
            writer.writerow((*figures, None, None))
            continue
        base = (("MACs", comparison.macs),)
        for what, amount in chain(base, ((item.what, item.macs) for item in tool.items)):
            writer.writerow((*figures, what, amount))
    return text.getvalue()


def tools_json(comparison: Comparison) -> str:
    """Return the comparison as JSON: `netcalc.tools/1`."""
    return json.dumps(comparison.to_dict(), indent=2, allow_nan=False) + "\n"


def _heading(comparison: Comparison) -> str:
    return f"{comparison.name}: netcalc counts {comparison.macs:,} MACs a sample, {comparison.params:,} parameters"


def _row(tool: ToolFigures, comparison: Comparison) -> tuple[str, ...]:
    difference = None if tool.counted is None else tool.counted - comparison.macs
    return (
        tool.tool,
        _number(tool.printed),
        tool.unit or "",
        _number(tool.params),
        _NONE if difference is None else _signed(difference),
    )


def _items(tool: ToolFigures) -> list[tuple[str, str]]:
    return [(_signed(item.macs), item.what) for item in tool.items]


def _besides(tool: ToolFigures) -> list[str]:
    lines = []
    if tool.ignored:
        kinds = ", ".join(f"{ignored.kind} ({ignored.flops:,})" for ignored in tool.ignored)
        lines.append(f"Counts as nothing, with netcalc's FLOPs: {kinds}.")
    if tool.activations is not None:
        lines.append(f"Activations: {tool.activations:,}.")
    return lines


def _number(value: int | None) -> str:
    return _NONE if value is None else f"{value:,}"


def _signed(value: int) -> str:
    return f"{value:+,}" if value else "0"
