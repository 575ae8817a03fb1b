"""What a check found, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from netcalc.analysis.report import diagnostic_report
from netcalc.checks.outcome import Checked, Outcome

FORMAT = "netcalc.diagnostics/1"


def outcome_json(outcome: Outcome) -> str:
    """Return every finding once, and file by file what was suppressed and how far each budget is used."""
    document = {
        "format": FORMAT,
        "diagnostics": [asdict(diagnostic_report(d)) for d in outcome.diagnostics],
        "files": [_file(file) for file in outcome.files],
        "skipped": list(outcome.skipped),
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _file(file: Checked) -> dict[str, Any]:
    return {
        "file": file.file,
        "name": file.name or None,
        "totals": dict(file.totals) or None,
        "findings": {level: _count(file, level) for level in ("error", "warning", "info")},
        "budgets": [
            {
                "figure": use.figure,
                "nodes": use.scope or None,
                "value": use.value,
                "limit": use.limit,
                "used": use.used,
                "met": use.met,
            }
            for use in file.budgets
        ],
        "suppressed": [
            {**asdict(diagnostic_report(quiet.diagnostic)), "reason": quiet.reason} for quiet in file.suppressed
        ],
        "unread": file.unread or None,
    }


def _count(file: Checked, level: str) -> int:
    return sum(d.severity == level for d in file.diagnostics)
