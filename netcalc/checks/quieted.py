"""Suppressions applied: which findings comments keep quiet, and which comments keep nothing quiet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from netcalc.checks.outcome import Suppressed
from netcalc.checks.selection import CHOSEN, Selection
from netcalc.diagnostics import CODES, Diagnostic, did_you_mean
from netcalc.spec.suppressions import Suppression

SuppressionsOf = Callable[[str], tuple[Suppression, ...]]
"""Gives the suppressions of a file."""


def quieted(
    found: Iterable[Diagnostic], suppressions_of: SuppressionsOf
) -> tuple[tuple[Diagnostic, ...], tuple[Suppressed, ...]]:
    """Return the findings that stay, and those that a comment at their line keeps quiet."""
    staying: list[Diagnostic] = []
    quiet: list[Suppressed] = []
    for d in found:
        comment = _comment_for(d, suppressions_of)
        if comment is None:
            staying.append(d)
        else:
            quiet.append(Suppressed(d, comment.reason, comment.span))
    return tuple(staying), tuple(quiet)


def _comment_for(d: Diagnostic, suppressions_of: SuppressionsOf) -> Suppression | None:
    if d.span is None or d.span.virtual or not d.code.startswith(CHOSEN):
        return None
    for comment in suppressions_of(d.span.file):
        if comment.line == d.span.line and d.code in comment.codes:
            return comment
    return None


def idle(
    comments: Iterable[Suppression], quiet: Iterable[Suppressed], selection: Selection, *, whole: bool
) -> Iterator[Diagnostic]:
    """Yield a finding for each comment that names no known code, and, if everything was checked, that is unused."""
    used = {(item.span, item.diagnostic.code) for item in quiet}
    for comment in comments:
        if not comment.codes:
            message, help = (
                "a suppression should name the codes that it keeps quiet",
                "`# netcalc: ignore[NC301] why`",
            )
            yield Diagnostic("NC411", message, comment.span, help, "warning")
        for code in comment.codes:
            if code not in CODES or not code.startswith(CHOSEN):
                what = "is an error of the spec, which cannot be suppressed" if code in CODES else "is no code"
                help = did_you_mean(code, [known for known in CODES if known.startswith(CHOSEN)])
                yield Diagnostic("NC411", f"`{code}` {what}", comment.span, help, "warning")
            elif whole and (comment.span, code) not in used and selection.reports(code):
                message = f"the suppression of {code} keeps nothing quiet"
                yield Diagnostic("NC410", message, comment.span, "remove it", "warning")


def known_before(
    comments: Iterable[Suppression], before: Iterable[Suppression]
) -> tuple[tuple[Suppression, ...], tuple[Suppression, ...]]:
    """Return the comments that an earlier state of the file had as well, on lines that read the same, and others.

    A comment that names a code more than before is new.
    """
    had = Counter((comment.subject, code) for comment in before for code in comment.codes)
    old: list[Suppression] = []
    new: list[Suppression] = []
    for comment in comments:
        keys = [(comment.subject, code) for code in comment.codes]
        if all(had[key] > 0 for key in keys):
            had.subtract(keys)
            old.append(comment)
        else:
            new.append(comment)
    return tuple(old), tuple(new)
