"""What is wrong with a spec, collected while it is read: each finding once, and not without bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from netcalc.diagnostics import Diagnostic, Span, SpecError

MAX_FINDINGS = 200


@dataclass(slots=True)
class Findings:
    """Diagnostics in the order of their discovery; repetition and aliases do not repeat them."""

    found: dict[tuple[str, str, Span | None], Diagnostic] = field(default_factory=dict)
    unknown: set[Span] = field(default_factory=set)
    """Places that have no value because of a finding; nothing more is said about them."""

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.found.values())

    def __len__(self) -> int:
        return len(self.found)

    def add(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Add findings; raises SpecError when there are more than MAX_FINDINGS."""
        for new in diagnostics:
            key = new.code, new.message, new.span
            if key in self.found:
                continue
            if len(self.found) == MAX_FINDINGS:
                self.stop(f"more than {MAX_FINDINGS} errors; the others are not listed", new.span)
            self.found[key] = new

    def report(self, code: str, message: str, span: Span, help: str = "") -> None:
        """Add one finding."""
        self.add([Diagnostic(code, message, span, help)])

    def stop(self, message: str, span: Span | None) -> NoReturn:
        """Raise SpecError with all findings and a safety limit that ends the reading."""
        raise SpecError([*self, Diagnostic("NC005", message, span)])
