"""Which findings are reported, and how much each weighs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from netcalc.checks.rules import RULES
from netcalc.diagnostics import CODES, CannotRunError, Diagnostic, Severity, Span, SpecError, did_you_mean
from netcalc.spec.budgets import Level
from netcalc.spec.project import Project

CHOSEN = ("NC3", "NC4")
"""The codes that may be chosen and suppressed: rules and budgets. Errors of the spec itself always count."""

_SEVERITIES: Mapping[Level, Severity] = {"error": "error", "warn": "warning"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Codes to report, all where `select` is empty, those not to, and what weighs other than by default.

    All of them are codes or beginnings of codes; of levels, that of the longest beginning counts.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    levels: Mapping[str, Level] = field(default_factory=dict)

    def reports(self, code: str) -> bool:
        """Tell whether findings of a code are reported."""
        if not code.startswith(CHOSEN):
            return True
        chosen = not self.select or code.startswith(self.select)
        return chosen and not code.startswith(self.ignore or ("-",)) and self._level(code) != "off"

    def applied(self, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """Return the findings to report, each with the severity that was chosen for it."""
        return tuple(self._weighed(d) for d in found if self.reports(d.code))

    def _weighed(self, d: Diagnostic) -> Diagnostic:
        level = self._level(d.code)
        return d if level is None else replace(d, severity=_SEVERITIES[level])

    def _level(self, code: str) -> Level | None:
        """Return the level that was chosen for a code, None where it keeps its own."""
        beginnings = filter(code.startswith, self.levels) if code.startswith(CHOSEN) else ()
        longest = max(beginnings, key=len, default=None)
        return None if longest is None else self.levels[longest]


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


def refuse_unknown_codes(project: Project) -> None:
    """Raise SpecError for the words in a project's settings that stand for no rule or budget, each at its line."""
    settings = project.settings
    words = [
        ("select", settings.select),
        ("ignore", settings.ignore),
        *((f"levels.{word}", (word,)) for word in settings.levels),
        *((f"per_file_ignore.{glob}", codes) for glob, codes in settings.per_file_ignore.items()),
    ]
    found = []
    for where, codes in words:
        place = project.place(f"check.{where}") or Span(project.file, 1, 1, 1, 1)
        for word in codes:
            try:
                known_codes((word,))
            except CannotRunError as error:
                found.append(Diagnostic("NC011", str(error), place, error.help))
    if found:
        raise SpecError(found)
