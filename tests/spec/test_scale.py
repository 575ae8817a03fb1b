"""Long specs cost time in proportion to their length."""

import time

import pytest

from netcalc.graph import build
from netcalc.spec.load import parse_spec

FORMS = {
    "written out": lambda n: "".join("  - conv: {filters: 8, kernel: 3, padding: same}\n" for _ in range(n)),
    "named": lambda n: (
        "  - {relu: , name: n0}\n" + "".join(f"  - {{relu: , name: n{i}, from: n{i - 1}}}\n" for i in range(1, n))
    ),
    "grouped": lambda n: "".join("  - {residual: [relu, tanh]}\n" for _ in range(n // 3)),
    "with expressions": lambda n: "".join(f"  - dense: $(max({i}, {i // 2}) + 1)\n" for i in range(n)),
}


def seconds(form, layers):
    text = f"input: [8, 8, 8]\nlayers:\n{FORMS[form](layers)}"
    start = time.process_time()
    graph = build(parse_spec(text))
    assert graph.complete
    return time.process_time() - start


@pytest.mark.parametrize("form", FORMS)
def test_four_times_the_layers_take_less_than_eight_times_the_time(form):
    few = min(seconds(form, 2_000) for _ in range(2))
    assert seconds(form, 8_000) < 8 * few


def test_ten_thousand_layers_are_all_there():
    graph = build(parse_spec(f"input: [8, 8, 8]\nlayers:\n{FORMS['written out'](10_000)}"))
    assert len(graph.nodes) == 10_000
    assert graph.outputs == ("conv10000",)
