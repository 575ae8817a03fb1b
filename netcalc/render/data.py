"""The report as JSON and CSV, for programs. JSON is ASCII, so that no encoding of stdout can change it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict

from netcalc.analysis.report import DiagnosticReport, Report

_FIELDS = (
    "name", "type", "path", "file", "line", "inputs", "output", "dtype",
    "params_trainable", "params_frozen", "params_state", "macs_forward", "flops_forward", "macs_padding_exact",
    "macs_training", "flops_training",
)  # fmt: skip


def report_json(report: Report) -> str:
    """Return the report as JSON: the stable contract `netcalc.report/1`."""
    return json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n"


def report_csv(report: Report) -> str:
    """Return one line a node, with plain integers and an empty cell for what is not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_FIELDS)
    for layer in report.layers:
        output = ("", "") if layer.output is None else ("x".join(map(str, layer.output.shape)), layer.output.dtype)
        place = (layer.name, layer.type, layer.path, layer.source.file, layer.source.line, " ".join(layer.inputs))
        params = (layer.params.trainable, layer.params.frozen, layer.params.state)
        macs, flops = layer.macs, layer.flops
        costs = (macs.forward, flops.forward, macs.padding_exact, macs.training, flops.training)
        writer.writerow((*place, *output, *params, *costs))
    return text.getvalue()


def diagnostics_json(diagnostics: tuple[DiagnosticReport, ...]) -> str:
    """Return findings as JSON."""
    findings = {"format": "netcalc.diagnostics/1", "diagnostics": [asdict(d) for d in diagnostics]}
    return json.dumps(findings, indent=2, allow_nan=False) + "\n"
