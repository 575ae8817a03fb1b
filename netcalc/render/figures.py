"""The wording of what stands around a report's rows, shared by the renderers for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from netcalc.analysis.estimate import MemoryReport
from netcalc.analysis.memory import comparable_parts
from netcalc.analysis.report import NamedTensor, Report
from netcalc.units import format_bytes, format_seconds, format_shape

UNKNOWN = "?"


def number(value: int | None) -> str:
    """Return `1,234`, or `?` where the figure is not known."""
    return UNKNOWN if value is None else f"{value:,}"


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


def demands(report: Report) -> list[tuple[str, str]]:
    """Return memory, time and cost as pairs of what and how much; nothing where they were not asked for."""
    totals = report.totals
    memory = totals.memory
    if memory is None:
        return []
    asked = f"batch {memory.batch:,}, {memory.optimizer}, {memory.precision}"
    if memory.training is None or memory.inference is None:
        return [("memory", f"no rule for {memory.device}: `--exact` asks the compiler"), *_times(report)]
    training = memory.training
    between = f"{format_bytes(training.low_bytes)} to {format_bytes(training.high_bytes)}"
    parts = [(part.name, getattr(training.parts, part.name)) for part in fields(training.parts)]
    lines = [
        ("training memory", f"{format_bytes(training.total_bytes)} ({between}) for {asked}"),
        ("of it", ", ".join(f"{name} {format_bytes(size)}" for name, size in parts if size)),
        ("highest at", training.peak_at or UNKNOWN),
        ("inference memory", f"{format_bytes(memory.inference.total_bytes)}"),
        ("not in it", "CUDA context, workspace of convolutions, batches fetched ahead"),
    ]
    if memory.usable_bytes is not None:
        lines.append((str(memory.device), _verdict(memory)))
    return [*lines, *_times(report)]


def compiled_parts(report: Report) -> Mapping[str, int]:
    """Return the model's bytes by the names of the compiler's parts; nothing where there is no rule."""
    memory = report.totals.memory
    return comparable_parts(memory.training) if memory is not None and memory.training is not None else {}


def _verdict(memory: MemoryReport) -> str:
    """Return whether a step fits the device, and by how much."""
    known = memory.exact or memory.training
    if known is None or memory.usable_bytes is None:
        return UNKNOWN
    free = memory.usable_bytes - known.total_bytes - memory.ahead_bytes
    usable = format_bytes(memory.usable_bytes)
    return (
        f"fits, {format_bytes(free)} of {usable} free beside a batch fetched ahead"
        if free >= 0
        else (f"does not fit: {format_bytes(-free)} more than the {usable} that are usable")
    )


def _times(report: Report) -> list[tuple[str, str]]:
    seconds, cost = report.totals.seconds, report.totals.cost
    if seconds is None:
        return []
    step, rate = seconds.training_step, seconds.images_per_second
    at_most = "" if rate is None else f", at most {rate:,.0f} images/s"
    lines = [("training step", f"at least {format_seconds(step)}{at_most} (roofline)")]
    if step:
        shares = (f"{100 * part / step:.0f} % {limit}" for limit, part in seconds.bound_by.items())
        lines.append(("bound by", ", ".join(shares)))
    lines.append(("inference", f"at least {format_seconds(seconds.inference_batch)} a batch"))
    if seconds.epoch is not None and seconds.images is not None:
        lines.append((f"{seconds.images:,} images", f"at least {format_seconds(seconds.epoch)}"))
    if cost is not None:
        lines.append(("cost of them", f"at least {cost.epoch:,.2f} {cost.currency}"))
    return lines


def textbook(report: Report) -> list[tuple[str, str]]:
    """Return the memory by the lecture's rule as pairs of what and how much; nothing where it was not asked for."""
    rule = report.totals.textbook
    if rule is None:
        return []
    beside = number(rule.copies_beside_params)
    return [
        ("by the textbook", "4 bytes a value, one sample; a lower bound"),
        ("parameters", _bytes(rule.params_bytes)),
        ("activations", f"{_bytes(rule.activation_bytes)}, outputs of weighted layers"),
        ("with gradients", f"{_bytes(rule.training_activation_bytes)}, twice the activations"),
        (
            f"copies in {format_bytes(rule.memory_bytes)}",
            f"{number(rule.copies)}, parameters left out; {beside} beside one set of parameters",
        ),
    ]


def _bytes(value: int | None) -> str:
    return UNKNOWN if value is None else f"{format_bytes(value)} ({value:,} bytes)"


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
