"""Initialisers as data: the published variances, short forms, refusals."""

import pytest
from pydantic import TypeAdapter, ValidationError

from netcalc.layers.initializer import SHORTHANDS, Initializer, initializer

READ = TypeAdapter(Initializer).validate_python


def variance(name, fan_in, fan_out):
    """Return the variance that the data of a named initialiser stands for."""
    chosen = initializer(name).chosen
    fan = {"in": fan_in, "average": (fan_in + fan_out) / 2}[chosen.fan]
    return chosen.scale / fan


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("glorot_normal", lambda i, o: 2 / (i + o)),
        ("glorot_uniform", lambda i, o: (6**0.5 / (i + o) ** 0.5) ** 2 / 3),  # U[−√6/√(n+m), √6/√(n+m)]
        ("caffe_normal", lambda i, o: 1 / i),
        ("caffe_uniform", lambda i, o: ((3 / i) ** 0.5) ** 2 / 3),  # U[−√(3/n), √(3/n)]
        ("he_normal", lambda i, o: 2 / i),
        ("he_uniform", lambda i, o: ((6 / i) ** 0.5) ** 2 / 3),
    ],
)
def test_variances_are_the_published_ones(name, formula):
    for fans in ((75, 2400), (10, 10), (4096, 1000)):
        assert variance(name, *fans) == pytest.approx(formula(*fans), rel=1e-12)
    assert initializer(name).chosen.distribution == name.rpartition("_")[2]


@pytest.mark.parametrize(
    ("written", "kind", "fields"),
    [
        ("zeros", "constant", {"value": 0.0}),
        ("ones", "constant", {"value": 1.0}),
        (0.1, "constant", {"value": 0.1}),
        (2, "constant", {"value": 2.0}),
        ({"constant": 3}, "constant", {"value": 3.0}),
        ("uniform", "uniform", {"low": -1.0, "high": 1.0}),
        ({"uniform": [0, 2]}, "uniform", {"low": 0.0, "high": 2.0}),
        ({"uniform": {"high": 0.5}}, "uniform", {"low": -1.0, "high": 0.5}),
        ("normal", "normal", {"mean": 0.0, "std": 1.0}),
        ({"normal": {"std": 0.01}}, "normal", {"mean": 0.0, "std": 0.01}),
        ({"normal": None}, "normal", {"mean": 0.0, "std": 1.0}),
    ],
)
def test_short_forms(written, kind, fields):
    found = READ(written)
    assert (found.kind, found.chosen.model_dump()) == (kind, fields)


@pytest.mark.parametrize("written", [*SHORTHANDS, "uniform", "normal", 0.5, {"uniform": [0, 1]}])
def test_what_is_dumped_reads_as_the_same(written):
    found = READ(written)
    assert READ(found.model_dump()) == found
    assert READ(found) == found


@pytest.mark.parametrize(
    "written",
    [
        "he",
        "constant",
        "variance_scaling",
        "",
        None,
        True,
        [0, 1],
        float("nan"),
        float("inf"),
        {},
        {"zeros": {}},
        {"normal": {}, "uniform": {}},
        {"normal": {"std": 0}},
        {"normal": {"std": "1"}},
        {"normal": {"sd": 1}},
        {"uniform": [1, 1]},
        {"uniform": [2, 1]},
        {"uniform": [0]},
        {"uniform": [0, 1, 2]},
        {"uniform": ["a", "b"]},
        {"constant": {}},
        {"constant": None},
        {"constant": "1"},
        {"variance_scaling": {"scale": 1}},
        {"variance_scaling": {"scale": 1, "fan": "out", "distribution": "normal"}},
    ],
)
def test_what_is_no_initialiser(written):
    with pytest.raises(ValidationError):
        READ(written)
