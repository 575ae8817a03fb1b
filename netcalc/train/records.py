"""The metrics of a run: one record after each epoch and each validation, as JSON lines and as a table."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from netcalc.diagnostics import CannotRunError
from netcalc.train.durable import replace_file, told
from netcalc.units import finite

METRICS_JSONL, METRICS_CSV = "metrics.jsonl", "metrics.csv"
TIMINGS = ("seconds", "images_per_second", "waited_seconds")
"""What differs between two runs of one training."""


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """Metrics after an epoch, or within one; epoch 0 is before the first update.

    The training figures are means over the epoch as it went, the test and validation figures those of the model
    after it, None where the split was not evaluated or is not there. `waited_seconds` is how long updates of this
    session waited for data. A figure that is not finite is NaN, and null in the files.
    """

    epoch: int
    step: int
    train_loss: float | None
    train_accuracy: float | None
    test_loss: float | None
    test_accuracy: float | None
    images_per_second: float | None
    seconds: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    waited_seconds: float | None = None


def append_record(run: Path, record: EpochRecord) -> None:
    """Append a record to metrics.jsonl and metrics.csv, on disk when this returns; raises CannotRunError."""
    with told(run, "metrics cannot be written"):
        for name, text in ((METRICS_JSONL, _json_line(record)), (METRICS_CSV, _csv([record]))):
            path = run / name
            if name == METRICS_CSV and not path.exists():
                text = _csv_head() + text
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


def rewind_records(run: Path, count: int) -> tuple[EpochRecord, ...]:
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
        replace_file(run / METRICS_CSV, _csv_head() + _csv(kept))
    return kept


def _values(record: EpochRecord) -> dict[str, Any]:
    return {name: None if value is None else finite(value) for name, value in asdict(record).items()}


def _json_line(record: EpochRecord) -> str:
    return json.dumps(_values(record), allow_nan=False) + "\n"


_NAMES = [field.name for field in fields(EpochRecord)]


def _csv_head() -> str:
    return ",".join(_NAMES) + "\n"


def _csv(records: Iterable[EpochRecord]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, _NAMES, lineterminator="\n")
    writer.writerows(map(_values, records))
    return stream.getvalue()


def _record(line: str, path: Path, number: int) -> EpochRecord:
    try:
        values = json.loads(line)
        if not isinstance(values, dict):
            raise TypeError
        # An accuracy is always finite: where there is one, null is NaN.
        for split in ("train", "test", "validation"):
            if values.get(f"{split}_loss") is None and values.get(f"{split}_accuracy") is not None:
                values[f"{split}_loss"] = math.nan
        record = EpochRecord(**values)
        if not all(isinstance(value, int | float | None) for value in values.values()):
            raise TypeError
        if not (isinstance(record.epoch, int) and isinstance(record.step, int)):
            raise TypeError
    except (ValueError, TypeError, KeyError):
        raise CannotRunError(f"{path}: line {number} is no record of metrics") from None
    return record
