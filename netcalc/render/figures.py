"""The wording of a report's figures, shared by the table and Markdown renderers."""

from __future__ import annotations

from netcalc.analysis.report import LayerReport, NamedTensor, Report
from netcalc.units import format_shape

COLUMNS = ("name", "type", "output", "params", "MACs")
IS_TEXT = (True, True, False, False, False)
"""Which columns are words, set flush left; the others are figures."""
UNKNOWN = "?"


def number(value: int | None) -> str:
    """Return `1,234`, or `?` where the figure is not known."""
    return UNKNOWN if value is None else f"{value:,}"


def row(layer: LayerReport) -> tuple[str, str, str, str, str]:
    """Return the cells of one node."""
    params = layer.params
    held = None if params.trainable is None or params.frozen is None else params.trainable + params.frozen
    output = UNKNOWN if layer.output is None else format_shape(layer.output.shape)
    return layer.name, layer.type, output, number(held), number(layer.macs.forward)


def total_row(report: Report) -> tuple[str, str, str, str, str]:
    """Return the cells of the totals."""
    params = report.totals.params
    held = None if params.trainable is None or params.frozen is None else params.trainable + params.frozen
    return "total", "", "", number(held), number(report.totals.macs.forward)


def heading(report: Report) -> str:
    """Return the network's name with its inputs and outputs."""
    arrows = f"{_tensors(report.inputs)} → {_tensors(report.outputs)}"
    return f"{report.name or 'no network'}: {arrows}"


def summary(report: Report) -> list[tuple[str, str]]:
    """Return the totals as pairs of what and how much, units included."""
    totals = report.totals
    lines = [("parameters", _params(report))]
    if totals.params.state != 0:
        lines.append(("state", f"{number(totals.params.state)} (batch-norm statistics)"))
    lines += [
        ("forward MACs", _forward(totals.macs.forward, report.batch)),
        ("training MACs", _forward(totals.macs.training, report.batch)),
        ("forward FLOPs", f"{_forward(totals.flops.forward, report.batch)} (1 MAC = 2 FLOPs, + elementwise)"),
        ("training FLOPs", _forward(totals.flops.training, report.batch)),
        (
            "activations",
            f"{number(totals.activations.conv_output_elements)} conv outputs, "
            f"{number(totals.activations.weighted_output_elements)} outputs of weighted layers, "
            f"{number(totals.activations.node_output_elements)} of all nodes",
        ),
    ]
    if totals.update is not None:
        kept = f"{number(totals.update.slot_elements)} values kept"
        lines.append(("update", f"{number(totals.update.flops)} FLOPs a step by {totals.update.optimizer}, {kept}"))
    heads = [layer.macs.forward for layer in report.layers if layer.train_only]
    if heads:
        macs = number(None if None in heads else sum(filter(None, heads)))
        lines.append(("training only", f"{macs} forward MACs of auxiliary heads, not in the totals above"))
    if not report.complete:
        lines.append(("incomplete", "figures marked ? are unknown; the errors say why"))
    return lines


def _params(report: Report) -> str:
    trainable, frozen = report.totals.params.trainable, report.totals.params.frozen
    if trainable is None or frozen is None:
        return UNKNOWN
    split = f"{trainable:,} trainable" + (f", {frozen:,} frozen" if frozen else "")
    size = 4 * (trainable + frozen)
    return f"{split}, {size / 1e6:,.3f} MB in float32"


def _forward(value: int | None, batch: int) -> str:
    per_sample = number(value)
    if value is None or batch == 1:
        return f"{per_sample} a sample"
    return f"{per_sample} a sample, {value * batch:,} a batch of {batch:,}"


def _tensors(tensors: tuple[NamedTensor, ...]) -> str:
    parts = []
    for tensor in tensors:
        shape = UNKNOWN if tensor.shape is None else format_shape(tensor.shape)
        parts.append(f"{tensor.name} {shape} {tensor.dtype or ''}".rstrip())
    return ", ".join(parts) or UNKNOWN
