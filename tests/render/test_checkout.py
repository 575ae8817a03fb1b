"""Paths of a checkout: what lies below its top, and what does not."""

from __future__ import annotations

import pytest

from netcalc.diagnostics import Span
from netcalc.render.checkout import HERE, Checkout

BELOW = Checkout("/home/me/project/nets", "/home/me/project")


@pytest.mark.parametrize(
    ("checkout", "file", "path"),
    [
        (HERE, "a.yaml", "a.yaml"),
        (HERE, "./nets//b/../a.yaml", "nets/a.yaml"),
        (HERE, "../a.yaml", None),
        (HERE, "/a.yaml", None),
        (BELOW, "a.yaml", "nets/a.yaml"),
        (BELOW, "../blocks/a.yaml", "blocks/a.yaml"),
        (BELOW, "../../a.yaml", None),
        (BELOW, "/home/me/project/a.yaml", "a.yaml"),
        (BELOW, "/home/me/project2/a.yaml", None),
        (Checkout("/home/me/project"), "a.yaml", "a.yaml"),
        (Checkout("/", "/"), "/a.yaml", "a.yaml"),
    ],
)
def test_paths_are_below_the_top_folder(checkout: Checkout, file: str, path: str | None) -> None:
    assert checkout.path_of(file) == path
    assert checkout.name_of(file) == (file if path is None else path)


def test_places() -> None:
    assert BELOW.place_of(Span("a.yaml", 3, 5, 4, 1)) == "nets/a.yaml:3:5"
    assert BELOW.place_of(Span("--set budgets.params=1", 1, 1, 1, 1)) == "--set budgets.params=1"
    assert HERE.place_of(Span("a\n\x1b.yaml", 1, 2, 1, 3)) == "a\ufffd\ufffd.yaml:1:2"
