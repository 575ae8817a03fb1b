"""What a check found: file by file, with what was suppressed and how far each budget is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netcalc.diagnostics import Diagnostic, Severity, Span


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A finding that a comment in the YAML keeps quiet, with the reason that the comment gives."""

    diagnostic: Diagnostic
    reason: str
    span: Span


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """How far a figure stays below, or above, its limit; `value` is None where it is not known.

    `figure` is named as in the spec, `scope` is the glob of nodes that it sums over, empty for the whole network.
    `shown` and `limit` are written for people, with units. `used` is the value as a share of the limit, None where
    one of them is not known or zero.
    """

    figure: str
    scope: str
    value: float | None
    shown: str
    limit: str
    level: Severity
    met: bool | None
    used: float | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in one spec. `totals` are figures that hold whatever the budgets: params, macs; empty where
    the network could not be built. `unread` says why a file could not be read at all, with a way out behind it.
    `strict` tells that its project lets warnings fail.
    """

    file: str
    name: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    budgets: tuple[BudgetUse, ...] = ()
    totals: Mapping[str, int] = field(default_factory=dict)
    unread: str = ""
    help: str = ""
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check of several specs found, in their order; `skipped` are YAML files that are no networks."""

    files: tuple[Checked, ...]
    skipped: tuple[str, ...] = ()

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Every finding once: specs that share a file share what is found there."""
        found: dict[tuple[str, str, Span | None], Diagnostic] = {}
        for file in self.files:
            for d in file.diagnostics:
                found.setdefault((d.code, d.message, d.span), d)
        return tuple(found.values())

    @property
    def suppressed(self) -> tuple[Suppressed, ...]:
        """Every finding that a comment keeps quiet, once, in order."""
        return tuple(dict.fromkeys(one for file in self.files for one in file.suppressed))

    @property
    def unread(self) -> tuple[Checked, ...]:
        """The files that could not be read."""
        return tuple(file for file in self.files if file.unread)

    @property
    def strict(self) -> bool:
        """Whether the project of any file lets warnings fail."""
        return any(file.strict for file in self.files)

    def fails(self, *, strict: bool = False) -> bool:
        """Tell whether there is an error, or, where that is asked or the project says so, a warning."""
        return any(
            d.severity == "error" or (d.severity == "warning" and (strict or file.strict))
            for file in self.files
            for d in file.diagnostics
        )
