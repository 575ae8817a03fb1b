"""Going on with a run: from which checkpoint, and with which changes of the spec.

What may change is what leaves the run equal to one that had the changed spec from the start: how long it trains,
when it saves, when it ends early. Where another length gives other rates of the schedule, one has to say which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from netcalc.analysis.value_changes import ValueChange, value_changes
from netcalc.data.preprocessing import Preprocessing
from netcalc.diagnostics import CannotRunError, cut
from netcalc.graph import build_complete
from netcalc.spec.dump import spec_document
from netcalc.spec.load import load_spec
from netcalc.spec.network import NetworkSpec
from netcalc.spec.schedules import FOLLOWS_LENGTH
from netcalc.spec.training import ScheduleSpan, TrainingSpec
from netcalc.train.checkpoint import load_training, saved_steps, step_directory
from netcalc.train.data_checksum import data_facts
from netcalc.train.loop import Start
from netcalc.train.plan import Plan, make_plan
from netcalc.train.run import CHECKPOINTS, SPEC, checkpoint_path, open_run
from netcalc.train.run_record import RunRecord
from netcalc.train.schedules import make_factor

ScheduleChoice = Literal["keep", "stretch", "restart"]

LENGTH = ("train.epochs", "train.steps")
FREE = ("train.max_time", "train.early_stopping", "train.checkpoint_every", "train.keep_checkpoints", "budgets")
"""What may change, beside the length: no update depends on it."""

NONFINITE = "train.on_nonfinite"
"""What may change between abort and rollback, whose updates are the same as long as all are finite."""

_CHOICES = (
    "`--schedule keep` takes the rates as planned, then that of the schedule's end; `--schedule stretch` those of "
    "a training planned so long; `--schedule restart` begins the schedule anew here"
)
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Resumption:
    """A run to go on with: the plan by its changed spec, and where it stands; None if nothing was saved yet.

    `damaged` says what is wrong with the checkpoints that were passed over.
    """

    plan: Plan
    start: Start | None
    changes: tuple[ValueChange, ...]
    damaged: tuple[str, ...] = ()


def resume(
    run: Path,
    record: RunRecord,
    *,
    spec: Path | None = None,
    overrides: Sequence[str] = (),
    root: Path | None = None,
    checkpoint: str = "last",
    schedule: ScheduleChoice | None = None,
) -> Resumption:
    """Return how to go on with a run; nothing on disk changes.

    `spec` is a file that takes the place of the stored one; it may differ where overrides may. `checkpoint` is
    last, best, the name of a step directory, or previous: the latest one before the last that is not damaged.

    Raises SpecError for a spec with errors, CannotRunError for changes that would make another training of it, for
    other data, and for a checkpoint that is missing or damaged.
    """
    graph, preprocessing = open_run(run)
    stored = graph.spec
    start, damaged = _start(run, checkpoint)
    step = start.saved.step if start is not None else 0
    asked = load_spec(run / SPEC, overrides) if spec is None else load_spec(spec, overrides, root)
    changes = spec_changes(stored, asked)
    left_out = start.saved.progress.left_out if start is not None else ()
    _refuse(run, changes, (NONFINITE,) if _same_so_far(stored, asked, len(left_out)) else ())
    plan = _planned(asked, stored, preprocessing)
    if any(change.path in LENGTH for change in changes):
        plan = _of_other_length(plan, make_plan(graph, preprocessing), step, schedule)
    if plan.steps < step:
        raise CannotRunError(
            f"{run}: {step} updates are made already, `train` asks for {plan.steps}",
            help="ask for more, or go on from an earlier checkpoint with --from",
        )
    facts = data_facts(plan.dataset)
    if facts != record.data:
        named = ", ".join(f"`{key}`" for key in facts if facts[key] != record.data.get(key))
        raise CannotRunError(
            f"{run}: the data `{plan.dataset.name}` are not those that it was trained on; {named} differ",
            help="train anew, without --resume",
        )
    return Resumption(plan, start, changes, damaged)


def spec_changes(before: NetworkSpec, after: NetworkSpec) -> tuple[ValueChange, ...]:
    """Return what differs between two resolved specs, layers by their names.

    That `after` has no `schedule_span` is no difference: a spec file does not know what became of a run.
    """
    changes = value_changes(_by_name(spec_document(before)), _by_name(spec_document(after)))
    return tuple(c for c in changes if not (c.path == "train.schedule_span" and c.after is None))


def _by_name(document: dict[str, Any]) -> dict[str, Any]:
    layers = {entry["name"]: {k: v for k, v in entry.items() if k != "name"} for entry in document["layers"]}
    return {**document, "layers": layers, "order of layers": list(layers)}


def _start(run: Path, checkpoint: str) -> tuple[Start | None, tuple[str, ...]]:
    """Return the checkpoint to go on from, and what is wrong with those that were passed over."""
    folder = run / CHECKPOINTS
    if checkpoint == "previous":
        return _previous(run, folder)
    if checkpoint == "last" and not saved_steps(folder):
        return None, ()
    path = folder / checkpoint_path(run, checkpoint).resolve().name
    return Start(load_training(path), path), ()


def _previous(run: Path, folder: Path) -> tuple[Start, tuple[str, ...]]:
    """Return the latest checkpoint before the last that can be read, and what is wrong with those between."""
    last = (folder / "last").resolve().name.removeprefix("step-")
    earlier = [step for step in saved_steps(folder) if not last.isdecimal() or step < int(last)]
    if not earlier:
        raise CannotRunError(
            f"{run}: no checkpoint before the last one",
            help="`train.keep_checkpoints` says how many of them stay",
        )
    damaged: list[str] = []
    for path in (step_directory(folder, step) for step in reversed(earlier)):
        try:
            return Start(load_training(path), path), tuple(damaged)
        except CannotRunError as error:
            damaged.append(str(error))
    raise CannotRunError(
        f"{run}: no checkpoint before the last one can be read: {'; '.join(damaged)}",
        help="train anew, without --resume",
    )


def _same_so_far(stored: NetworkSpec, asked: NetworkSpec, left_out: int) -> bool:
    """Tell whether a training that left out so many updates would have come to the same with the asked policy."""
    if stored.train is None or asked.train is None:
        return False
    if "skip" in {stored.train.on_nonfinite.kind, asked.train.on_nonfinite.kind}:
        return False  # it computes the update otherwise
    rollback = asked.train.on_nonfinite.rollback
    return left_out <= (rollback.limit if rollback is not None else 0)


def _refuse(run: Path, changes: Sequence[ValueChange], also: Sequence[str]) -> None:
    """Raise CannotRunError where the changed spec describes another training; `also` may change as well."""
    allowed = (*LENGTH, *FREE, *also)
    other = [c for c in changes if not any(c.path == name or c.path.startswith(f"{name}.") for name in allowed)]
    if not other:
        return
    named = "; ".join(f"`{c.path}` {_short(c.before)} → {_short(c.after)}" for c in other[:_SHOWN])
    more = f"; and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
    raise CannotRunError(
        f"{run}: the spec is not the one that it was trained by: {named}{more}",
        help="what differs makes another training: leave out --resume to start one",
    )


def _short(value: object) -> str:
    return "nothing" if value is None else cut(str(value), 40)


def _planned(asked: NetworkSpec, stored: NetworkSpec, preprocessing: Preprocessing) -> Plan:
    assert asked.train is not None
    assert stored.train is not None
    return _with_train(asked, preprocessing, {"schedule_span": stored.train.schedule_span})


def _with_train(spec: NetworkSpec, preprocessing: Preprocessing, update: dict[str, Any]) -> Plan:
    assert spec.train is not None
    changed: TrainingSpec = spec.train.model_copy(update=update)
    return make_plan(build_complete(replace(spec, train=changed)), preprocessing)


def _of_other_length(plan: Plan, before: Plan, step: int, choice: ScheduleChoice | None) -> Plan:
    """Return the plan with the span that its schedule is to have."""
    schedule = plan.spec.schedule
    if schedule is None or not isinstance(schedule.chosen, FOLLOWS_LENGTH):
        return plan
    span = before.spec.schedule_span or ScheduleSpan(steps=before.steps)
    stretched = ScheduleSpan(start=span.start, steps=max(plan.steps - span.start, 1))
    if choice is None and stretched != span:
        made = min(step, plan.steps - 1)
        was, would_be = (
            float(make_factor(schedule, replace(plan.pace, steps=each.steps, start=each.start))(made))
            for each in (span, stretched)
        )
        raise CannotRunError(
            f"{plan.steps} updates instead of {before.steps} change the `{schedule.kind}` schedule: after {made} "
            f"the learning rate is {was:.4g} of the full one as planned, {would_be:.4g} in a training so long",
            help=_CHOICES,
        )
    spans = {"keep": span, "stretch": stretched, "restart": ScheduleSpan(start=step, steps=plan.steps - step or 1)}
    chosen = spans[choice or "keep"]
    return _with_train(plan.graph.spec, plan.preprocessing, {"schedule_span": chosen})
