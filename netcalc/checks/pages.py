"""The manual page of every code: a rule's is its docstring, another's the meaning of the code."""

from __future__ import annotations

from netcalc.checks.rules import RULES
from netcalc.diagnostics import CODES, CannotRunError, cut, did_you_mean
from netcalc.manual import Page, read_page


def rule_pages() -> tuple[Page, ...]:
    """Return the pages of all rules, in the order of their codes."""
    return tuple(read_page(rule.code, rule.name, rule.severity, rule.find.__doc__ or "") for rule in RULES.values())


def find_page(word: str) -> Page:
    """Return the page of a code or of a rule's name, in any case; raises CannotRunError for another word."""
    pages = {page.code: page for page in rule_pages()}
    codes = {page.name: page.code for page in pages.values()}
    code = codes.get(word.lower(), word.upper())
    if code in pages:
        return pages[code]
    if code in CODES:
        return Page(code, CODES[code])
    is_code = any(map(str.isdigit, word))
    close = did_you_mean(word.upper(), CODES) if is_code else did_you_mean(word.lower(), codes)
    help = close if close.startswith("did") else "`netcalc rules` lists all rules"
    raise CannotRunError(f"`{cut(word)}` is no code and no name of a rule", help)
