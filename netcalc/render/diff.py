"""What differs between two networks, as text, Markdown and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from itertools import accumulate

from netcalc.analysis.diff import Diff
from netcalc.render.diff_rows import (
    NodeRow,
    conditions,
    counted,
    headline,
    node_rows,
    setting_rows,
    title,
    total_rows,
    unknown_memory,
)
from netcalc.render.layout import aligned, escape, table_row
from netcalc.render.printable import printable

MOST_CHARACTERS = 25_000
"""Of each folded table in Markdown: a comment on GitHub has at most 65,536 characters in all."""

_COLUMNS = ("", "before", "after", "change", "%")
_LESS: tuple[tuple[str, ...], ...] = ((), ("before",), ("before", "change"))
"""Columns to leave out, until the totals fit."""


def diff_text(diff: Diff, width: int | None = None, *, whole: bool = False) -> str:
    """Return totals, settings and nodes; with `width`, in lines that are no longer where that can be done."""
    if not diff.differs:
        return f"{headline(diff)}\n"
    lines = [title(diff), _files(diff), "", *_totals(diff, width), ""]
    for note in (conditions(diff), unknown_memory(diff), counted(diff)):
        lines += _wrapped(note, 0, width)
    if settings := setting_rows(diff):
        lines += [
            "",
            "Settings",
            *_pairs([(path, f"{before} → {after}") for path, before, after in settings], 2, width),
        ]
    if rows := node_rows(diff, whole=whole):
        lines += ["", "Nodes", *_nodes(rows, width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def diff_markdown(diff: Diff) -> str:
    """Return a headline and the totals, and folded below them the settings and the nodes: for a pull request."""
    lines = [f"### {escape(headline(diff))}"]
    if not diff.differs:
        return f"{lines[0]}\n"
    totals = [(row.label, row.before, row.after, row.change, row.percent) for row in total_rows(diff)]
    lines += ["", *_table(_COLUMNS, ":----", totals), "", _literal(_files(diff)) + "  ", escape(conditions(diff))]
    if why := unknown_memory(diff):
        lines.append(escape(why))
    lines += ["", f"<details><summary>{counted(diff)}</summary>"]
    if settings := setting_rows(diff):
        lines += ["", *_table(("setting", "before", "after"), ":::", settings, MOST_CHARACTERS)]
    if rows := node_rows(diff, whole=False):
        cells = [(r.mark, r.name, r.type, r.params, r.macs, "; ".join(map(_detail, r.details))) for r in rows]
        head = ("", "node", "type", "parameters", "MACs", "what")
        lines += ["", *_table(head, ":::--:", cells, MOST_CHARACTERS)]
    return "\n".join((*lines, "", "</details>")) + "\n"


def diff_json(diff: Diff) -> str:
    """Return the diff as JSON: the stable contract `netcalc.diff/1`."""
    return json.dumps(diff.to_dict(), indent=2, allow_nan=False) + "\n"


def _files(diff: Diff) -> str:
    before, after = diff.before.source, diff.after.source
    return printable(before if before == after else f"{before} → {after}")


def _totals(diff: Diff, width: int | None) -> list[str]:
    rows = [(row.label, row.before, row.after, row.change, row.percent) for row in total_rows(diff)]
    lines: list[str] = []
    for less in _LESS:
        kept = [at for at, column in enumerate(_COLUMNS) if column not in less]
        cells = [tuple(row[at] for at in kept) for row in (_COLUMNS, *rows)]
        head, *body = aligned(cells, [at == 0 for at in kept], gap=2)
        across = max(map(len, (head, *body)))
        lines = [head, "─" * across, *body]
        if width is None or across <= width:
            break
    return lines


def _nodes(rows: Sequence[NodeRow], width: int | None) -> list[str]:
    """Return a line a node, or two where it does not fit, and below it what changed."""
    cells = [(f"{row.mark} {row.name}", row.type, row.params, row.macs) for row in rows]
    head, *body = aligned([("  node", "type", "params", "MACs"), *cells], (True, True, False, False), gap=2)
    fits = width is None or max(map(len, (head, *body))) <= width
    lines = [head] if fits else []
    for row, line in zip(rows, body, strict=True):
        if fits:
            lines.append(line)
        else:
            figures = ((row.params, "params"), (row.macs, "MACs"))
            costs = (f"{figure} {what}" for figure, what in figures if figure not in ("", "0"))
            lines += [f"{row.mark} {row.name}", *_wrapped(", ".join((row.type, *costs)), 4, width)]
        lines += _wrapped("; ".join(map(_detail, row.details)), 4, width)
    return lines


def _pairs(pairs: Sequence[tuple[str, str]], indent: int, width: int | None) -> list[str]:
    """Return a line a pair; a long one goes on in the next line."""
    return [line for pair in pairs for line in _wrapped(_detail(pair), indent, width)]


def _wrapped(text: str, indent: int, width: int | None) -> list[str]:
    if width is None or not text:
        return [" " * indent + text] if text else []
    return textwrap.wrap(
        text,
        max(width, 2 * indent),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _detail(pair: tuple[str, str]) -> str:
    what, how = pair
    return f"{what}: {how}" if what else how


def _literal(text: str) -> str:
    """Return a value of a spec or the name of a file, which may hold anything, as Markdown shows it literally."""
    return escape(text).replace("~", "\\~").replace("&", "\\&")


def _table(
    head: Sequence[str], sides: str, body: Sequence[Sequence[str]], most_characters: int | None = None
) -> list[str]:
    """Return a table; one that is too long ends with how many rows it would have besides."""
    rule = "|".join(":--" if side == ":" else "--:" for side in sides)
    rows = [table_row(map(_literal, row)) for row in body]
    if most_characters is not None:
        ends = accumulate(len(row) + 1 for row in rows)
        shown = sum(end <= most_characters for end in ends)
        if shown < len(rows):
            more = f"{len(rows) - shown:,} more rows; `netcalc diff --format json` has all"
            rows = [*rows[:shown], "", more]
    return [table_row(map(escape, head)), f"|{rule}|", *rows]
