"""Which findings are reported, and how much each weighs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from netcalc.checks.rules import RULES
from netcalc.diagnostics import CODES, CannotRunError, Diagnostic, Severity, did_you_mean
from netcalc.spec.budgets import Level

CHOSEN = ("NC3", "NC4")
"""The codes that may be chosen and suppressed: rules and budgets. Errors of the spec itself always count."""

_SEVERITIES: Mapping[Level, Severity] = {"error": "error", "warn": "warning"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Codes to report, all where `select` is empty, those not to, and rules that weigh other than by default."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    levels: Mapping[str, Level] = field(default_factory=dict)

    def reports(self, code: str) -> bool:
        """Tell whether findings of a code are reported."""
        if not code.startswith(CHOSEN):
            return True
        chosen = not self.select or code.startswith(self.select)
        return chosen and not code.startswith(self.ignore or ("-",)) and self.levels.get(code) != "off"

    def applied(self, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """Return the findings to report, each with the severity that was chosen for it."""
        return tuple(
            replace(d, severity=_SEVERITIES[self.levels[d.code]]) if d.code in self.levels else d
            for d in found
            if self.reports(d.code)
        )


def known_codes(words: Iterable[str]) -> tuple[str, ...]:
    """Return the codes that words stand for: a code, the beginning of codes, or a rule's name.

    Raises CannotRunError for a word that stands for none.
    """
    by_name = {rule.name: code for code, rule in RULES.items()}
    found: list[str] = []
    for word in words:
        code = by_name.get(word, word)
        if not code or not any(known.startswith(code) for known in CODES):
            hint = did_you_mean(word, [*CODES, *by_name])
            raise CannotRunError(f"no rule is called `{word}`", hint or "`netcalc rules` lists all")
        if not code.startswith(CHOSEN) and not "NC3".startswith(code):
            raise CannotRunError(
                f"`{word}` is an error of the spec, which always counts", "rules are NC3, budgets NC4"
            )
        found.append(code)
    return tuple(found)
