"""Outcomes of checks for the tests of machine formats: an ordinary one, and one that a hostile spec made."""

from __future__ import annotations

from dataclasses import replace

from netcalc.checks.outcome import BudgetUse, Checked, Outcome, Suppressed
from netcalc.diagnostics import Diagnostic, Related, Span
from netcalc.render.findings import RulePage

RULES = {
    "NC301": RulePage("redundant-bias", "A bias just before batch normalisation changes nothing.", "Why: ..."),
    "NC302": RulePage("dropped-pixels", "A stride leaves pixels unread.", "Why: ...", "info"),
}


def span(file: str, line: int, column: int = 1, end: int | None = None) -> Span:
    return Span(file, line, column, line, column + 1 if end is None else end)


KERNEL = Diagnostic(
    "NC101",
    "`kernel` (5) is larger than the input's height (4)",
    span("nets/small.yaml", 9, 34, 35),
    "use a kernel of at most 4",
    node="conv3",
    context=("input: 4×4×16",),
)
BIAS = Diagnostic(
    "NC301",
    "the bias of `conv1` is cancelled by `batch_norm1`",
    span("nets/small.yaml", 3, 5, 9),
    "set `bias: false`",
    "warning",
    "conv1",
)
OVER = Diagnostic(
    "NC401",
    "`params` is 650, over the budget of 600 by 50, 8.3%",
    span("nets/wide.yaml", 7, 19, 22),
    "make the largest layers smaller, or raise the budget",
    related=(Related(span("blocks/head.yaml", 2, 5, 10), "dense1: 650 (100.0%)"),),
)
SMALL = Checked("nets/small.yaml", "small", (KERNEL, BIAS))
WIDE = Checked(
    "nets/wide.yaml",
    "wide",
    (OVER,),
    (Suppressed(replace(BIAS, span=span("nets/wide.yaml", 4)), "as published", span("nets/wide.yaml", 4, 30, 60)),),
    (
        BudgetUse("params", "", 650, "650", "600", "error", met=False, used=650 / 600),
        BudgetUse("macs", "head.*", 640, "640", "1,000", "error", met=True, used=0.64),
        BudgetUse("memory", "", None, "?", "24 GB", "error", met=None),
    ),
    {"params": 650, "macs": 1_234_567},
)
CLEAN = Checked("nets/clean.yaml", "clean", totals={"params": 61_706, "macs": 416_520})
ABSENT = Checked("nets/absent.yaml", unread="nets/absent.yaml: no such file", help="did you mean `absend.yaml`?")
MIXED = Outcome((SMALL, WIDE, CLEAN, ABSENT), skipped=("ci.yml",))

HOSTILE = (
    "::error::x\r\n::stop-commands::t ##[error]y %0A%25 ]]> <script>alert('&')</script> a|b,l=m `c\x1b` "
    "``d`` [e](http://f) {0} \x1b[31m\x00\x08\u202e\u2066\ufffe\udcff ~~g~~ $h$ \n# i\n</details>\n| j | k |"
)
_BAD = Diagnostic(
    "NC011",
    HOSTILE,
    span(HOSTILE, 3),
    HOSTILE,
    node=HOSTILE,
    context=(HOSTILE, HOSTILE),
    related=(Related(span(HOSTILE, 4), f"{HOSTILE}!"), Related(Span("--set a=1", 1, 1, 1, 1), HOSTILE)),
)
_USE = BudgetUse(HOSTILE, HOSTILE, 1.0, HOSTILE, HOSTILE, "warning", met=False)
EVIL = Outcome(
    (
        Checked(
            HOSTILE,
            HOSTILE,
            (
                _BAD,
                replace(_BAD, severity="warning", code="NC302", span=None),
                replace(_BAD, severity="info", code="??"),
            ),
            (Suppressed(_BAD, HOSTILE, span(HOSTILE, 1)),),
            (_USE, replace(_USE, level="error")),
            {"params": 1},
        ),
        Checked(f"{HOSTILE}2", unread=HOSTILE, help=HOSTILE),
    )
)


def many(number: int) -> Outcome:
    """Return one spec with so many errors, each on a line of its own."""
    found = (
        replace(KERNEL, span=span("nets/small.yaml", line), node=f"conv{line}") for line in range(1, number + 1)
    )
    return Outcome((replace(SMALL, diagnostics=tuple(found)),))
