"""What training a network takes at one batch size after another, each computed once."""

from __future__ import annotations

from dataclasses import dataclass

from netcalc.analysis.liveness import Peak
from netcalc.analysis.memory import high_bytes, training_memory, training_step
from netcalc.analysis.optimizers import OPTIMIZERS
from netcalc.analysis.setup import setup_of
from netcalc.graph import Graph
from netcalc.spec.training import UpdateSpec


@dataclass(frozen=True, slots=True)
class _Known:
    """What a batch takes beside parameters, optimizer and state, in bytes, and what is alive when most is.

    `most_bytes` is the same where the compiler makes least of rematerialisation.
    """

    step_bytes: int
    ahead_bytes: int
    most_bytes: int
    peak: Peak


class BatchMemory:
    """The memory of training steps of one complete graph: a total, and a batch that is fetched ahead meanwhile.

    The updates that it is asked about may differ in optimizer, precision and rematerialisation alone. An optimizer
    adds to what does not depend on the batch and changes no schedule, unless it sums the gradients of several
    batches or multiplies matrices: others share what is computed.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._known: dict[tuple[str, str, bool, bool, int], _Known] = {}
        self._fixed: dict[tuple[str, str, str], int] = {}

    def fixed_bytes(self, update: UpdateSpec) -> int:
        """Return the bytes of parameters, the optimizer's values, a sum of gradients, state, and a copy of it."""
        key = (update.optimizer.kind, update.precision, update.remat)
        if key not in self._fixed:
            self._compute(update, 1)
        return self._fixed[key]

    def varying_bytes(self, update: UpdateSpec, batch: int) -> int:
        """Return the bytes that depend on the batch, one fetched ahead included."""
        known = self._at(update, batch)
        return known.step_bytes + known.ahead_bytes

    def varying_high_bytes(self, update: UpdateSpec, batch: int) -> int:
        """Return the same where the step's total lies at the upper end of its interval."""
        fixed, known = self.fixed_bytes(update), self._at(update, batch)
        return high_bytes(self.graph, fixed + known.most_bytes) - fixed + known.ahead_bytes

    def needed_bytes(self, update: UpdateSpec, batch: int) -> int:
        """Return all bytes that training takes."""
        return self.fixed_bytes(update) + self.varying_bytes(update, batch)

    def peak(self, update: UpdateSpec, batch: int) -> Peak:
        """Return where in the step most buffers are alive."""
        return self._at(update, batch).peak

    def _at(self, update: UpdateSpec, batch: int) -> _Known:
        key = _schedule_of(update, batch)
        if key not in self._known:
            self._compute(update, batch)
        return self._known[key]

    def _compute(self, update: UpdateSpec, batch: int) -> None:
        setup = setup_of(self.graph, update, batch)
        step = training_step(self.graph, setup)
        memory = training_memory(self.graph, setup, step)
        parts, total = memory.parts, memory.total_bytes
        fixed = parts.weights + parts.optimizer + setup.sum_bytes + parts.state + parts.snapshot
        self._fixed[update.optimizer.kind, update.precision, update.remat] = fixed
        _, most = step.arena_range or (step.peak.arena_bytes, step.peak.arena_bytes)
        self._known[_schedule_of(update, batch)] = _Known(total - fixed, parts.batch, parts.batch + most, step.peak)


def _schedule_of(update: UpdateSpec, batch: int) -> tuple[str, str, bool, bool, int]:
    """Return what the schedule of a step depends on."""
    multiplies = OPTIMIZERS[update.optimizer.kind].orthogonalizes
    return update.precision, update.remat, update.accumulates, multiplies, batch
