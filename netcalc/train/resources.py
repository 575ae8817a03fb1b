"""What a training was predicted to take and what it took: memory, and the time of an update."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import jax

from netcalc.analysis.demand import make_demand
from netcalc.analysis.device_files import known_devices
from netcalc.analysis.estimate import estimate
from netcalc.train.durable import replace_file, told
from netcalc.train.plan import Plan
from netcalc.train.present_device import present_device
from netcalc.train.step_clock import StepClock
from netcalc.units import format_bytes, format_seconds

RESOURCES = "resources.json"
FORMAT = "netcalc.resources/1"


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Memory in bytes; what is None is unknown for the reason in the notes."""

    predicted_bytes: int | None
    predicted_low_bytes: int | None
    predicted_high_bytes: int | None
    predicted_note: str
    measured_bytes: int | None
    measured_note: str


@dataclass(frozen=True, slots=True)
class StepTime:
    """Seconds of one update; what is None is unknown for the reason in the notes."""

    predicted_seconds: float | None
    predicted_note: str
    measured_seconds: float | None
    measured_note: str
    measured_steps: int


@dataclass(frozen=True, slots=True)
class Resources:
    """What a session of a training takes; `device` is None where its figures are not known."""

    device: str | None
    memory: MemoryUse
    step: StepTime


def resident_bytes() -> int | None:
    """Return the memory that this process is resident in, None where the system does not tell."""
    return _status("VmRSS")


def _status(name: str) -> int | None:
    """Return a size of this process that Linux tells; `getrusage` may tell that of the one which started it."""
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), flags=re.MULTILINE)
    except OSError:
        return None
    return 1024 * int(found[1]) if found else None


def measured_resources(plan: Plan, device: jax.Device, clock: StepClock, before_bytes: int | None) -> Resources:
    """Return what a training took on a device; `before_bytes` are those the process was resident in before it."""
    known = present_device(device.device_kind, known_devices())
    foreseen = estimate(plan.graph, make_demand(plan.graph, device=known))
    memory = foreseen.memory.training
    if memory is None:
        predicted_note = f"no rule is known for the memory of a {known.kind if known else device.platform}"
    elif known is not None:
        predicted_note = f"the model of a step on {known.key}"
    else:
        predicted_note = "the model of a step on a GPU"
    measured, measured_note = _measured_memory(device, before_bytes)
    seconds, seconds_note = None, f"no figures of `{device.device_kind}` are known"
    if foreseen.seconds is not None and plan.spec.accumulates:
        seconds_note = "the roofline is of one batch, an update has several"
    elif foreseen.seconds is not None and known is not None:
        seconds, seconds_note = foreseen.seconds.training_step, f"at least, by the roofline of {known.key}"
    return Resources(
        device=known.key if known is not None else None,
        memory=MemoryUse(
            predicted_bytes=memory.total_bytes if memory else None,
            predicted_low_bytes=memory.low_bytes if memory else None,
            predicted_high_bytes=memory.high_bytes if memory else None,
            predicted_note=predicted_note,
            measured_bytes=measured,
            measured_note=measured_note,
        ),
        step=StepTime(
            predicted_seconds=seconds,
            predicted_note=seconds_note,
            measured_seconds=clock.median_seconds,
            measured_note="median, the fetching of batches in it" if clock.windows else "too few updates",
            measured_steps=clock.measured_steps,
        ),
    )


def write_resources(run: Path, resources: Resources) -> None:
    """Write resources.json, of the last session; raises CannotRunError."""
    with told(run / RESOURCES, "cannot be written"):
        replace_file(run / RESOURCES, json.dumps({"format": FORMAT, **asdict(resources)}, indent=2) + "\n")


def resources_lines(resources: Resources) -> tuple[str, str]:
    """Return memory and time in words, predicted beside measured."""
    memory, step = resources.memory, resources.step
    return (
        f"memory  predicted {_with_note(memory.predicted_bytes, memory.predicted_note, format_bytes)}, "
        f"measured {_with_note(memory.measured_bytes, memory.measured_note, format_bytes)}",
        f"update  predicted {_with_note(step.predicted_seconds, step.predicted_note, format_seconds)}, "
        f"measured {_with_note(step.measured_seconds, step.measured_note, format_seconds)}",
    )


_Number = TypeVar("_Number", int, float)


def _with_note(value: _Number | None, note: str, form: Callable[[_Number], str]) -> str:
    return f"{'unknown' if value is None else form(value)} ({note})"


def _measured_memory(device: jax.Device, before_bytes: int | None) -> tuple[int | None, str]:
    if device.platform == "cpu":
        peak = _status("VmHWM")
        if peak is None or before_bytes is None:
            return None, "the system does not tell"
        return max(peak - before_bytes, 0), "growth of the process, XLA's compiler and evaluation in it"
    stats = device.memory_stats() or {}
    peak = stats.get("peak_bytes_in_use")
    return peak, "the allocator's peak" if peak is not None else "the device does not tell"
