"""Rules of design: each is a generator over a Subject, and its docstring is its manual page."""

from __future__ import annotations

from netcalc.checks.rules.normalization import redundant_bias
from netcalc.checks.rules.rule import Finding, Rule, Subject
from netcalc.checks.rules.windows import dropped_pixels

__all__ = ["RULES", "Finding", "Rule", "Subject"]

_RULES = (
    Rule("NC301", "redundant-bias", "warning", redundant_bias),
    Rule("NC302", "dropped-pixels", "warning", dropped_pixels),
)

RULES: dict[str, Rule] = {rule.code: rule for rule in _RULES}
"""Every rule by its permanent code."""
