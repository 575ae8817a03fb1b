"""`netcalc train`: train the network that a spec describes, or go on with a run."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netcalc.cli.options import CacheOption, Device, DeviceOption, RootOption, SetOption
from netcalc.cli.output import console, write_text
from netcalc.cli.signals import noted_signals
from netcalc.diagnostics import CannotRunError
from netcalc.spec.metrics import title_of, written
from netcalc.units import plural

if TYPE_CHECKING:
    from netcalc.train.device import JaxDevice
    from netcalc.train.loop import Start
    from netcalc.train.outcome import DivergedError, Outcome
    from netcalc.train.plan import Plan
    from netcalc.train.run_record import RunRecord, Session

EXAMPLE = "netcalc train configs/lenet5.yaml --set train.epochs=3"


Schedule = Literal["keep", "stretch", "restart"]


def train(
    spec: Annotated[
        Path | None,
        typer.Argument(metavar="[SPEC]", help="YAML file that describes the network; not needed with --resume."),
    ] = None,
    device: DeviceOption = Device.auto,
    runs: Annotated[Path, typer.Option("--runs", metavar="DIR", help="Folder for run directories.")] = Path("runs"),
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN", help="Go on with a run from its last checkpoint.")
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--from", help="Which checkpoint to resume from: last, previous, best, or a step directory's name."
        ),
    ] = None,
    schedule: Annotated[
        Schedule | None,
        typer.Option(
            help="With --resume and another length: keep the rates as planned, stretch the schedule, or restart it."
        ),
    ] = None,
    tensorboard: Annotated[
        bool | None,
        typer.Option(
            "--tensorboard/--no-tensorboard",
            help="Write event files for TensorBoard into the run; by default where a resumed run has some.",
            show_default=False,
        ),
    ] = None,
    set: SetOption = None,
    root: RootOption = None,
    cache: CacheOption = True,
) -> None:
    """Train a network on the data of its `train:` section.

    Writes a run directory with the resolved spec, metrics and checkpoints. The test figures at the end are those of
    the last update. SIGINT and SIGTERM finish the update under way, save, and exit with 130 and 143.

    With --resume a run goes on as if it had never stopped: on a CPU of the same kind its results are bitwise equal.
    """
    if resume is None:
        for option, value in (("--from", checkpoint), ("--schedule", schedule)):
            if value is not None:
                raise CannotRunError(f"{option} needs --resume", help="it says how to go on with a run")
        _start(spec, device, runs, set or [], root, cache, tensorboard or False)
    else:
        _resume(resume, spec, device, checkpoint or "last", schedule, set or [], root, cache, tensorboard)


def _start(
    spec: Path | None,
    device: Device,
    runs: Path,
    overrides: list[str],
    root: Path | None,
    cache: bool,
    tensorboard: bool,
) -> None:
    if spec is None:
        raise CannotRunError("no spec to train by", help="netcalc train SPEC, or netcalc train --resume RUN")
    from netcalc.graph import build_complete
    from netcalc.spec.load import load_spec

    graph = build_complete(load_spec(spec, overrides, root))

    from netcalc.train.compilation_cache import use_compilation_cache
    from netcalc.train.device import computing_on
    from netcalc.train.environment import environment
    from netcalc.train.plan import make_plan
    from netcalc.train.run import create_run
    from netcalc.train.run_record import Session, locked
    from netcalc.train.tensorboard import require_writer

    if tensorboard:
        require_writer()
    use_compilation_cache(cache)
    with computing_on(device.value) as chosen:
        plan = make_plan(graph)
        found = environment(chosen)
        run = create_run(runs, graph, plan.preprocessing, found)
        session = Session(started=_now(), from_step=0, overrides=overrides, environment=found)
        with locked(run):
            _train(plan, run, chosen, device, _record(plan, session), tensorboard)


def _resume(
    run: Path,
    spec: Path | None,
    device: Device,
    checkpoint: str,
    schedule: Schedule | None,
    overrides: list[str],
    root: Path | None,
    cache: bool,
    tensorboard: bool | None,
) -> None:
    from netcalc.train.compilation_cache import use_compilation_cache
    from netcalc.train.device import computing_on
    from netcalc.train.environment import differences, environment
    from netcalc.train.resume import resume
    from netcalc.train.run import change_spec, read_environment, require_run
    from netcalc.train.run_record import Session, locked, read_run_record
    from netcalc.train.tensorboard import has_events, require_writer

    require_run(run)
    if tensorboard is None:
        tensorboard = has_events(run)
    if tensorboard:
        require_writer()
    use_compilation_cache(cache)
    with locked(run), computing_on(device.value) as chosen:
        earlier = read_run_record(run)
        going_on = resume(
            run, earlier, spec=spec, overrides=overrides, root=root, checkpoint=checkpoint, schedule=schedule
        )
        found = environment(chosen)
        different = list(differences(read_environment(run), found))
        log = console(stderr=True)
        for problem in going_on.damaged:
            log.print(f"warning: passed over {problem}", soft_wrap=True)
        if different:
            log.print(
                f"warning: not as at the start of the run, so the last bits of results may differ: "
                f"{'; '.join(different)}",
                soft_wrap=True,
            )
        for change in going_on.changes:
            log.print(f"changed {change.path}: {change.before} → {change.after}", soft_wrap=True)
        step = going_on.start.saved.step if going_on.start is not None else 0
        session = Session(
            started=_now(), from_step=step, overrides=overrides, schedule=schedule,
            environment=found, differences=different,
        )  # fmt: skip
        record = _record(going_on.plan, *earlier.sessions, session)
        if going_on.changes:
            change_spec(run, going_on.plan.graph.spec)
        _train(going_on.plan, run, chosen, device, record, tensorboard, going_on.start)


def _train(
    plan: Plan,
    run: Path,
    chosen: JaxDevice,
    device: Device,
    record: RunRecord,
    tensorboard: bool,
    start: Start | None = None,
) -> None:
    """Train, print how it went, and leave in the run what became of it; exits with 128 + n after a signal n."""
    from netcalc.cli.progress import TrainingProgress
    from netcalc.train.device import describe
    from netcalc.train.loop import train as run_training
    from netcalc.train.outcome import DivergedError
    from netcalc.train.records import left_out_samples, read_records
    from netcalc.train.resources import (
        measured_resources,
        resident_bytes,
        resources_lines,
        write_resources,
    )
    from netcalc.train.run_record import write_run_record
    from netcalc.train.step_clock import StepClock
    from netcalc.train.tensorboard import EventReporter

    log = console(stderr=True)
    how = "  (chosen by auto)" if device is Device.auto else ""
    log.print(f"run {run}   device {describe(chosen)}{how}", soft_wrap=True)
    if skipped := plan.dataset.skipped:
        what = plural(len(skipped), "image")
        log.print(f"skipped {what} that cannot be decoded, the first {skipped[0]}", soft_wrap=True)
    if start is not None:
        log.print(f"resumed after {start.saved.step} of {plan.steps} updates, {start.path.name}", soft_wrap=True)
    write_run_record(run, record)
    images = plan.dataset.train.samples
    done = start.saved.progress.epoch_images if start is not None else 0
    earlier = read_records(run)[: start.saved.progress.records] if start is not None else ()
    progress = TrainingProgress(-(-plan.steps // plan.steps_per_epoch), images, done, earlier)
    events = EventReporter(progress, run, earlier) if tensorboard else None
    clock = StepClock(events or progress, images)
    before_bytes = resident_bytes()
    try:
        with noted_signals() as interrupted, progress.shown_while():
            outcome = run_training(plan, run, clock, interrupted, start)
            if clock.windows:  # a run that was complete already keeps what was measured of it
                resources = measured_resources(plan, chosen, clock, before_bytes)
                write_resources(run, resources)
            write_run_record(run, _ended(record, outcome))
    except DivergedError as error:
        _note_failure(run, record, str(error))
        _print_diverged(run, error)
        sys.exit(1)
    except Exception as error:
        is_ours = isinstance(error, CannotRunError)
        _note_failure(run, record, str(error) if is_ours else f"{type(error).__name__}: {error}")
        raise
    finally:
        if events is not None:
            events.close()
    for line in resources_lines(resources) if clock.windows else ():
        log.print(line, soft_wrap=True)
    if outcome.left_out:
        log.print(f"{_left_out(outcome.left_out)}, as their losses or parameters were not finite", soft_wrap=True)
    elif lost := left_out_samples(read_records(run)):
        what = plural(lost, "sample")
        log.print(f"left out {what}, as updates from them would not have been finite", soft_wrap=True)
    if outcome.signal is not None:
        log.print(f"interrupted after {outcome.step} updates; saved in {run}", soft_wrap=True)
        log.print(f"to go on: netcalc train --resume {run}", soft_wrap=True)
        sys.exit(128 + outcome.signal)
    write_text("".join(_figures(plan, outcome)), None)
    if outcome.ending == "early_stopping":
        log.print(
            f"ended early, after {outcome.step} of {plan.steps} updates: no better for a while", soft_wrap=True
        )
    elif outcome.ending == "max_time":
        log.print(f"ended after {outcome.step} of {plan.steps} updates: `train.max_time` is over", soft_wrap=True)
        log.print(f"to go on: netcalc train --resume {run} --set train.max_time=...", soft_wrap=True)
    log.print(f"next: netcalc evaluate {run}", soft_wrap=True)


def _print_diverged(run: Path, error: DivergedError) -> None:
    """Print why a training is not finite, and where it can go on from."""
    from netcalc.render.printable import printable
    from netcalc.train.post_mortem import BATCH, REPORT

    log = console(stderr=True)
    log.print("error: the loss is not a finite number any more", style="bold red", soft_wrap=True)
    if error.left_out:
        limit = "`train.on_nonfinite.rollback.limit` allows no more"
        log.print(f"{_left_out(error.left_out)} before; {limit}", soft_wrap=True)
    if error.found is None:
        log.print("a replay from the last checkpoint stays finite: this machine computed otherwise than before")
    else:
        for line in error.found.lines():
            log.print(printable(line), soft_wrap=True)
        log.print(f"  = written to {run / REPORT}, the batch to {run / BATCH}", soft_wrap=True)
    log.print(f"the last checkpoint, after {error.saved_step} updates, is finite: {run}", soft_wrap=True)


_NUMBERS_SHOWN = 8


def _left_out(numbers: Sequence[int]) -> str:
    """Return `left out 2 updates: 40, 77`."""
    shown = ", ".join(map(str, numbers[:_NUMBERS_SHOWN]))
    more = f" and {len(numbers) - _NUMBERS_SHOWN} more" if len(numbers) > _NUMBERS_SHOWN else ""
    return f"left out {plural(len(numbers), 'update')}: {shown}{more}"


def _figures(plan: Plan, outcome: Outcome) -> list[str]:
    last, best = outcome.last, outcome.best
    tested = {name: value for name, value in last.metrics.items() if name.startswith("test_")}
    lines = [f"{title_of(name)} {written(name, value)}\n" for name, value in tested.items()]
    metric = plan.best.metric
    # Where none was finite the first record stands for the best.
    if best.step != last.step and math.isfinite(best.metrics[metric]):
        shown = written(metric, best.metrics[metric])
        lines.append(f"best {title_of(metric)} {shown} after epoch {best.epoch}\n")
    return lines


def _record(plan: Plan, *sessions: Session) -> RunRecord:
    from netcalc.analysis.cost import count_params
    from netcalc.train.data_checksum import data_facts
    from netcalc.train.run_record import RunRecord

    return RunRecord(
        name=plan.graph.name,
        state="running",
        reason="",
        params=sum(count_params(node, node.known).total for node in plan.graph.nodes.values()),
        epochs=-(-plan.steps // plan.steps_per_epoch),
        steps=plan.steps,
        best=(plan.best.metric, plan.best.better),
        data=data_facts(plan.dataset),
        sessions=list(sessions),
    )


def _ended(record: RunRecord, outcome: Outcome) -> RunRecord:
    if outcome.signal is not None:
        reason = signal.Signals(outcome.signal).name
        return record.model_copy(update={"state": "interrupted", "reason": reason})
    return record.model_copy(update={"state": "finished", "reason": outcome.ending})


def _note_failure(run: Path, record: RunRecord, reason: str) -> None:
    from netcalc.train.run_record import write_run_record

    try:
        write_run_record(run, record.model_copy(update={"state": "failed", "reason": reason}))
    except CannotRunError:  # what filled the disk is said by the error that is under way
        return


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
