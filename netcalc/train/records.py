"""The metrics of a run: one record after each epoch and each validation, as JSON lines and as a table."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netcalc.diagnostics import CannotRunError
from netcalc.spec.metrics import METRICS
from netcalc.train.durable import replace_file, told
from netcalc.units import finite

METRICS_JSONL, METRICS_CSV = "metrics.jsonl", "metrics.csv"
TIMINGS = ("seconds", "images_per_second", "waited_seconds")
"""What differs between two runs of one training."""


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """Metrics after an epoch, or within one; epoch 0 is before the first update.

    `metrics` holds those that were measured, by their names. The training figures are means over the epoch as it
    went, the test and validation figures those of the model after it. `waited_seconds` is how long updates of this
    session waited for data. `left_out_samples` are those of the epoch so far whose updates were left out; they are
    in no training figure. A figure that is not finite is null in the files, and NaN when it is read again.
    """

    epoch: int
    step: int
    seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    images_per_second: float | None = None
    waited_seconds: float | None = None
    left_out_samples: int = 0

    def measured(self, split: str) -> dict[str, float]:
        """Return the metrics of a split by the names of their measures; none where it was not evaluated."""
        start = f"{split}_"
        return {n.removeprefix(start): value for n, value in self.metrics.items() if n.startswith(start)}


def append_record(run: Path, record: EpochRecord, metrics: Sequence[str]) -> None:
    """Append a record to metrics.jsonl and metrics.csv, on disk when this returns; raises CannotRunError.

    `metrics` are the names of all that the run measures, the columns of the table.
    """
    with told(run, "metrics cannot be written"):
        for name, text in ((METRICS_JSONL, _json_line(record)), (METRICS_CSV, _csv([record], metrics))):
            path = run / name
            if name == METRICS_CSV and not path.exists():
                text = _csv_head(metrics) + text
            with open(path, "a", encoding="utf-8", newline="") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())


def read_records(run: Path) -> tuple[EpochRecord, ...]:
    """Return the records of a run; a line that an interrupted write left unfinished is none.

    Raises CannotRunError for a file that cannot be read or holds something else.
    """
    path = run / METRICS_JSONL
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CannotRunError(f"{path}: cannot be read ({error.strerror or error})") from None
    lines = text.split("\n")[:-1]
    return tuple(_record(line, path, number) for number, line in enumerate(lines, 1))


def left_out_samples(records: Iterable[EpochRecord]) -> int:
    """Return how many samples updates left out in all; the last record of an epoch tells of the whole of it."""
    return sum({record.epoch: record.left_out_samples for record in records}.values())


def rewind_records(run: Path, count: int, metrics: Sequence[str]) -> tuple[EpochRecord, ...]:
    """Cut the metrics of a run to its first records and return those.

    Raises CannotRunError where there are fewer, or where the disk does not take it.
    """
    records = read_records(run)
    if len(records) < count:
        raise CannotRunError(
            f"{run / METRICS_JSONL}: holds {len(records)} records, the checkpoint was saved after {count}",
            help="the file was cut after it was written; without it the best checkpoint is not known",
        )
    kept = records[:count]
    with told(run, "metrics cannot be written"):
        replace_file(run / METRICS_JSONL, "".join(map(_json_line, kept)))
        replace_file(run / METRICS_CSV, _csv_head(metrics) + _csv(kept, metrics))
    return kept


def _values(record: EpochRecord) -> dict[str, Any]:
    timings = {name: getattr(record, name) for name in TIMINGS}
    values = {"epoch": record.epoch, "step": record.step, **record.metrics, **timings}
    if record.left_out_samples:
        values["left_out_samples"] = record.left_out_samples
    return {name: None if value is None else finite(value) for name, value in values.items()}


def _json_line(record: EpochRecord) -> str:
    return json.dumps(_values(record), allow_nan=False) + "\n"


def _columns(metrics: Sequence[str]) -> list[str]:
    return ["epoch", "step", *metrics, *TIMINGS]


def _csv_head(metrics: Sequence[str]) -> str:
    return ",".join(_columns(metrics)) + "\n"


def _csv(records: Iterable[EpochRecord], metrics: Sequence[str]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, _columns(metrics), lineterminator="\n", extrasaction="ignore")
    writer.writerows(map(_values, records))
    return stream.getvalue()


def _record(line: str, path: Path, number: int) -> EpochRecord:
    try:
        values = json.loads(line)
        if not isinstance(values, dict) or not all(_is_number(value) for value in values.values()):
            raise TypeError
        metrics = {name: values.pop(name) for name in list(values) if name in METRICS}
        known = {name: math.nan if value is None else float(value) for name, value in metrics.items()}
        record = EpochRecord(metrics=known, **values)
        if not all(isinstance(n, int) for n in (record.epoch, record.step, record.left_out_samples)):
            raise TypeError
    except (ValueError, TypeError, KeyError):
        raise CannotRunError(f"{path}: line {number} is no record of metrics") from None
    return record


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
