"""`netcalc train`: train the network that a spec describes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from netcalc.cli.options import Device, DeviceOption, RootOption, SetOption, SpecArgument
from netcalc.cli.output import console, write_text
from netcalc.units import plural

EXAMPLE = "netcalc train configs/lenet5.yaml --set train.epochs=3"


def train(
    spec: SpecArgument,
    device: DeviceOption = Device.auto,
    runs: Annotated[Path, typer.Option("--runs", metavar="DIR", help="Folder for run directories.")] = Path("runs"),
    set: SetOption = None,
    root: RootOption = None,
) -> None:
    """Train a network on the data of its `train:` section.

    Writes a run directory with the resolved spec, metrics and checkpoints. The test figures at the end are those of
    the last epoch. SIGINT and SIGTERM finish the update under way, save, and exit with 130 and 143.
    """
    from netcalc.graph import build_complete
    from netcalc.spec.load import load_spec

    graph = build_complete(load_spec(spec, set or (), root))

    from netcalc.cli.progress import TrainingProgress
    from netcalc.train.device import computing_on, describe
    from netcalc.train.loop import train as run_training
    from netcalc.train.plan import make_plan
    from netcalc.train.run import create_run

    log = console(stderr=True)
    with computing_on(device.value) as chosen:
        plan = make_plan(graph)
        run = create_run(runs, graph, plan.preprocessing, chosen)
        how = "  (chosen by auto)" if device is Device.auto else ""
        log.print(f"run {run}   device {describe(chosen)}{how}", soft_wrap=True)
        if skipped := plan.dataset.skipped:
            what = plural(len(skipped), "image")
            log.print(f"skipped {what} that cannot be decoded, the first {skipped[0]}", soft_wrap=True)
        epochs = -(-plan.steps // plan.steps_per_epoch)
        progress = TrainingProgress(epochs, len(plan.dataset.train.labels))
        with _signals() as interrupted, progress.shown_while():
            outcome = run_training(plan, run, progress, interrupted)
    last, best = outcome.last, outcome.best
    lines = [f"test loss {last.test_loss:.4f}\n", f"test accuracy {100 * last.test_accuracy:.2f} %\n"]
    if best.epoch != last.epoch:
        lines.append(f"best test accuracy {100 * best.test_accuracy:.2f} % after epoch {best.epoch}\n")
    write_text("".join(lines), None)
    if outcome.signal is not None:
        log.print(f"interrupted after {last.step} updates; saved in {run}", soft_wrap=True)
        sys.exit(128 + outcome.signal)
    log.print(f"next: netcalc evaluate {run}", soft_wrap=True)


@contextmanager
def _signals() -> Iterator[Callable[[], int | None]]:
    """Note SIGINT and SIGTERM for the loop to see; a second one aborts at once."""
    seen: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        if seen:
            sys.exit(128 + signum)
        seen.append(signum)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: seen[0] if seen else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
