"""Long specs cost time in proportion to their length."""

import gc
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
    gc.collect()
    gc.disable()  # when it runs depends on all that other tests have left behind
    try:
        start = time.process_time()
        graph = build(parse_spec(text))
        taken = time.process_time() - start
    finally:
        gc.enable()
    assert graph.complete
    return taken


@pytest.mark.parametrize("form", FORMS)
def test_four_times_the_layers_take_less_than_eight_times_the_time(form):
    few, many = (min(seconds(form, layers) for _ in range(3)) for layers in (2_000, 8_000))
    assert many < 8 * few


def test_ten_thousand_layers_are_all_there():
    graph = build(parse_spec(f"input: [8, 8, 8]\nlayers:\n{FORMS['written out'](10_000)}"))
    assert len(graph.nodes) == 10_000
    assert graph.outputs == ("conv10000",)
