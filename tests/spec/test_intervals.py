"""Intervals as people write them."""

from __future__ import annotations

import pytest

from netcalc.diagnostics import SpecError
from netcalc.spec.dump import dump_spec
from netcalc.spec.intervals import Interval, parse_interval
from netcalc.spec.load import parse_spec

NET = "input: [8, 8, 1]\nlayers: [flatten, {dense: 10}]\ntrain: {data: digits}\n"


@pytest.mark.parametrize(
    ("text", "every", "unit"),
    [
        ("500 steps", 500, "steps"),
        ("1 step", 1, "steps"),
        ("2epochs", 2, "epochs"),
        ("10min", 600, "seconds"),
        ("1.5 h", 5400, "seconds"),
    ],
)
def test_an_interval_has_its_unit(text, every, unit):
    assert parse_interval(text) == Interval(every, unit)


@pytest.mark.parametrize(
    "text", ["", "steps", "0 steps", "-1 steps", "1.5 steps", "0s", "5 parsecs", "9" * 99 + " steps"]
)
def test_what_is_none_is_refused(text):
    with pytest.raises(ValueError):
        parse_interval(text)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("checkpoint_every", ["2 epochs", "500", "0min", "[1]", "true"]),
        ("validate_every", ["10min", "1", "0 epochs", "1.5 epochs"]),
        ("max_time", ["0", "-5", "soon", "3 steps"]),
        ("keep_checkpoints", ["0", "1.5"]),
        ("best", ["loss", "{metric: test_loss, mode: large}"]),
        ("early_stopping", ["{patience: 0}", "{min_delta: -1}", "{min_delta: .nan}"]),
    ],
)
def test_a_wrong_value_is_an_error_at_its_place(field, values):
    for value in values:
        with pytest.raises(SpecError) as error:
            parse_spec(NET, "net.yaml", [f"train.{field}={value}"])
        assert [d.code for d in error.value.diagnostics] == ["NC011"], value
        assert str(error.value.diagnostics[0].span).startswith(f"--set train.{field}")


def test_a_resolved_spec_keeps_them():
    changes = (
        "checkpoint_every=90 s", "validate_every=3 epochs", "max_time=2h", "early_stopping={patience: 3}",
        "best={metric: train_loss, mode: max}", "schedule_span={start: 2, steps: 9}",
    )  # fmt: skip
    spec = parse_spec(NET, "net.yaml", [f"train.{change}" for change in changes])
    assert spec.train.max_time == 7200
    assert parse_spec(dump_spec(spec)).train == spec.train
