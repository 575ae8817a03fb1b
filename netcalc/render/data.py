"""The report as JSON and CSV, for programs. JSON is ASCII, so that no encoding of stdout can change it."""

from __future__ import annotations

import csv
import io
import json

from netcalc.analysis.report import Report
from netcalc.render.columns import COLUMNS
from netcalc.render.view import WHOLE, View, shown_rows


def report_json(report: Report) -> str:
    """Return the report as JSON: the stable contract `netcalc.report/1`."""
    return json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n"


def report_csv(report: Report, view: View = WHOLE) -> str:
    """Return one line a row, with plain numbers and an empty cell for what is not known; no line of totals."""
    columns = view.columns or COLUMNS
    rows, _ = shown_rows(report, view)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.header for column in columns])
    writer.writerows(zip(*(column.fields(rows, report) for column in columns), strict=True))
    return text.getvalue()
