"""Schedules of a few operations, made by hand or at random."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from netcalc.analysis.operations import Buffer, Operation


def buffer(bytes: int) -> Buffer:
    """Return a buffer that an operation writes."""
    return Buffer("b", "n", bytes, "activation")


def argument(bytes: int) -> Buffer:
    """Return a buffer that is there before the step."""
    return Buffer("w", "n", bytes, "argument")


def operation(
    *,
    reads: Iterable[Buffer] = (),
    writes: Iterable[Buffer] = (),
    in_place: bool = False,
    is_irreplaceable: bool = False,
) -> Operation:
    """Return an operation; tell those of one schedule apart by what they write."""
    return Operation("op", "n", "forward", tuple(reads), tuple(writes), in_place, is_irreplaceable=is_irreplaceable)


@st.composite
def schedules(draw: st.DrawFn) -> list[Operation]:
    """Draw operations that read what earlier ones wrote, or arguments, some twice, and write up to three."""
    sizes = st.sampled_from([0, 1, 1, 2, 3, 3, 5, 8])
    arguments = [argument(draw(sizes)) for _ in range(2)]
    written: list[Buffer] = []
    found: list[Operation] = []
    for number in range(draw(st.integers(0, 14))):
        known = st.sampled_from([*arguments, *written])
        reads = draw(st.lists(known, max_size=4))
        fresh = [buffer(draw(sizes)) for _ in range(draw(st.integers(0, 3)))]
        held = draw(st.lists(st.sampled_from(arguments), max_size=1))
        in_place, is_irreplaceable = draw(st.booleans()), draw(st.booleans())
        found.append(
            Operation(f"op{number}", "n", "forward", tuple(reads), (*fresh, *held), in_place, 0, is_irreplaceable)
        )
        written += fresh
    return found
