"""The best record and the end of a training, as a fold over records."""

from __future__ import annotations

import json
import math
from functools import reduce

import pytest

from netcalc.diagnostics import CannotRunError
from netcalc.spec.stopping import EarlyStopping, Watched
from netcalc.train.records import EpochRecord, append_record, read_records, rewind_records
from netcalc.train.watch import Watch


def record(step, test_loss=None, test_accuracy=None, train_loss=None):
    metrics = {"train_loss": train_loss, "test_loss": test_loss, "test_accuracy": test_accuracy}
    return EpochRecord(step, step, 1.0, {name: value for name, value in metrics.items() if value is not None})


NAMES = ("train_loss", "test_loss", "test_accuracy")


def folded(records, best="test_accuracy", stopping=None):
    return reduce(Watch.seen, records, Watch(Watched.model_validate(best), stopping))


@pytest.mark.parametrize(
    ("values", "first_best"),
    [([0.1, 0.5, 0.5, 0.4], 1), ([0.3], 0), ([math.nan, 0.2, 0.3], 2), ([0.3, math.nan], 0), ([math.nan] * 2, 0)],
)
def test_the_best_is_the_first_with_the_best_value(values, first_best):
    rising = folded([record(n, test_loss=1.0, test_accuracy=value) for n, value in enumerate(values)])
    assert rising.best.step == first_best
    falling = [record(n, test_loss=-value, test_accuracy=0.5) for n, value in enumerate(values)]
    assert folded(falling, "test_loss").best.step == first_best
    turned = [record(n, test_loss=value, test_accuracy=0.5) for n, value in enumerate(values)]
    assert folded(turned, {"metric": "test_loss", "mode": "max"}).best.step == first_best


def test_a_record_without_the_metric_says_nothing():
    assert folded([record(0), record(1, 1.0, 0.5), record(2)]).best.step == 1
    assert folded([record(0, 1.0, 0.5)], "train_loss").best is None


@pytest.mark.parametrize(
    ("losses", "patience", "min_delta", "ends"),
    [
        ([3, 2, 1, 1, 1], 2, 0.0, 4),
        ([3, 2, 2.5, 1, 2, 2], 2, 0.0, 5),
        ([3, 2.95, 2.91, 2.89], 2, 0.1, 2),  # each a little better, none by more than min_delta
        ([3, 2.95, 2.85, 2.8, 2.7], 2, 0.1, None),
        ([3, math.nan, math.nan], 2, 0.0, 2),
        ([math.nan, 2, 1], 2, 0.0, None),
        ([3, None, None, None, 2], 1, 0.0, None),  # not validated
        ([1, 1], 1, 0.0, 1),
    ],
)
def test_training_ends_when_patience_does(losses, patience, min_delta, ends):
    stopping = EarlyStopping(patience=patience, min_delta=min_delta)
    watch, ended = Watch(Watched(), stopping), None
    for step, loss in enumerate(losses):
        watch = watch.seen(record(step, loss, None if loss is None else 0.5))
        if watch.stops:
            ended = step
            break
    assert ended == ends


def test_what_is_read_again_folds_to_the_same(tmp_path):
    records = [
        record(0, 2.5, 0.1), record(1, math.nan, 0.1, train_loss=math.nan), record(2, None, None, train_loss=0.1),
        record(3, 0.1 + 0.2, 1 / 3), record(4, 0.4, 0.2),
    ]  # fmt: skip
    for one in records:
        append_record(tmp_path, one, NAMES)
    read = read_records(tmp_path)
    assert list(map(repr, read)) == list(map(repr, records))
    stopping = EarlyStopping(patience=9)
    for best in ("test_loss", "test_accuracy", "train_loss"):
        assert repr(folded(read, best, stopping)) == repr(folded(records, best, stopping))
    assert rewind_records(tmp_path, 2, NAMES) == read[:2]
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "epoch,step,train_loss,test_loss,test_accuracy,seconds,images_per_second,waited_seconds",
        "0,0,,2.5,0.1,1.0,,",
        "1,1,,,0.1,1.0,,",
    ]


@pytest.mark.parametrize(
    "line", ["{}", "[]", "3", "x", json.dumps({"epoch": 1, "step": "1"}), '{"epoch": 0, "extra": 1}', "null", ""]
)
def test_a_line_that_is_no_record_is_named(tmp_path, line):
    append_record(tmp_path, record(0, 1.0, 0.5), NAMES)
    with open(tmp_path / "metrics.jsonl", "a") as stream:
        stream.write(line + "\n")
    with pytest.raises(CannotRunError, match=r"metrics\.jsonl: line 2 is no record of metrics"):
        read_records(tmp_path)
