"""Lifetimes against a naive account of every buffer at every operation."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcalc.analysis import liveness
from netcalc.analysis.liveness import lifetimes, packed
from netcalc.analysis.operations import Buffer, Operation
from netcalc.analysis.packing import arena_bytes
from netcalc.analysis.schedule import training_schedule
from netcalc.analysis.setup import setup_of
from netcalc.spec.training import UpdateSpec
from tests.analysis.schedules import argument, buffer, operation, schedules
from tests.configs.zoo import load


class Account:
    """Who holds which place when: a place is what one buffer takes, or several that replace each other in turn."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.places: list[list[Buffer]] = []
        self.span: dict[Buffer, tuple[int, int]] = {}
        for index, op in enumerate(operations):
            for b in (*op.reads, *op.writes):
                if b.role != "argument":
                    self.span[b] = (self.span.get(b, (index,))[0], index)
        fixed = {b for op in operations if op.is_irreplaceable or len(op.writes) > 1 for b in op.writes}
        for index, op in enumerate(operations):
            last_read = [r for r in op.reads if r in self.span and self.span[r][1] == index]
            for b in (b for b in op.writes if b.role != "argument"):
                free = [
                    place
                    for r in last_read
                    for place in self.places
                    if place[-1] is r and r not in fixed and r.bytes == b.bytes and op.in_place
                ]
                if free:
                    free[0].append(b)
                else:
                    self.places.append([b])

    def alive_at(self, index: int) -> list[Buffer]:
        """Return the buffers that take memory at an operation; of one place the last that began."""
        found = []
        for place in self.places:
            holders = [b for b in place if self.span[b][0] <= index <= self.span[b][1]]
            found += holders[-1:]
        return found


@given(schedules())
def test_the_peak_is_that_of_the_account(operations: list[Operation]) -> None:
    account = Account(operations)
    sums = [sum(b.bytes for b in account.alive_at(index)) for index in range(len(operations))]
    found = lifetimes(operations)
    assert found.peak_bytes == max(sums, default=0)
    if found.peak_bytes == 0:
        assert (found.operation, found.alive) == (None, ())
    else:
        first = sums.index(found.peak_bytes)
        assert found.operation is operations[first]
        assert set(found.alive) == set(account.alive_at(first))
        assert len(found.alive) == len(set(found.alive))


@given(schedules())
def test_the_intervals_are_those_of_the_places(operations: list[Operation]) -> None:
    account = Account(operations)
    places = [(account.span[p[0]][0], account.span[p[-1]][1], p[0].bytes) for p in account.places]
    assert sorted(lifetimes(operations).intervals) == sorted(places)


@given(schedules())
def test_the_arena_holds_the_peak(operations: list[Operation]) -> None:
    lives = lifetimes(operations)
    before = list(lives.intervals)
    peak = packed(lives)
    assert peak.bytes <= peak.arena_bytes == arena_bytes(before)
    assert (peak.operation, peak.alive) == (lives.operation, lives.alive)


@given(schedules(), st.integers(1, 6))
def test_of_many_buffers_the_largest_are_laid_out(operations: list[Operation], few: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(liveness, "PACKED", few)
        lives = lifetimes(operations)
        peak = packed(lives)
    largest = sorted(lives.intervals, key=lambda i: -i.bytes)[:few]
    assert peak.arena_bytes >= max(lives.peak_bytes, arena_bytes(largest))
    assert peak.arena_bytes <= sum(i.bytes for i in lives.intervals)


@given(schedules())
def test_laying_out_changes_nothing(operations: list[Operation]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(liveness, "PACKED", 2)
        lives = lifetimes(operations)
        before = list(lives.intervals)
        assert packed(lives) == packed(lives)
        assert lives.intervals == before


def test_a_buffer_lives_from_its_writer_to_its_last_reader() -> None:
    a, b, c = buffer(10), buffer(3), buffer(5)
    ops = [
        operation(writes=[a]),
        operation(reads=[a], writes=[b]),
        operation(reads=[b], writes=[c]),
        operation(reads=[a, c]),
    ]
    found = lifetimes(ops)
    assert (found.peak_bytes, found.operation, set(found.alive)) == (18, ops[2], {a, b, c})
    assert sorted(found.intervals) == [(0, 3, 10), (1, 2, 3), (2, 3, 5)]


def test_what_nobody_reads_lives_while_it_is_written() -> None:
    ops = [operation(writes=[buffer(7)]), operation(writes=[buffer(2)])]
    assert lifetimes(ops).intervals == [(0, 0, 7), (1, 1, 2)]
    assert lifetimes(ops).peak_bytes == 7


def test_arguments_take_no_memory_of_the_step() -> None:
    weights = argument(100)
    found = lifetimes([operation(reads=[weights], writes=[weights])])
    assert (found.peak_bytes, found.intervals, found.operation) == (0, [], None)


def in_place_step(old: Buffer, new: Buffer, *more: Operation) -> list[Operation]:
    return [operation(writes=[old]), operation(reads=[old], writes=[new], in_place=True), *more]


def test_an_output_takes_the_place_of_an_input_that_nobody_reads_again() -> None:
    old, new = buffer(10), buffer(10)
    found = lifetimes(in_place_step(old, new, operation(reads=[new])))
    assert (found.peak_bytes, found.intervals) == (10, [(0, 2, 10)])


def test_no_place_is_taken_of_another_size_of_a_live_input_or_of_an_argument() -> None:
    assert lifetimes(in_place_step(buffer(10), buffer(8))).peak_bytes == 18
    old = buffer(10)
    assert lifetimes(in_place_step(old, buffer(10), operation(reads=[old]))).peak_bytes == 20
    weights, new = argument(10), buffer(10)
    assert lifetimes([operation(reads=[weights], writes=[new], in_place=True)]).peak_bytes == 10


def test_each_output_takes_the_place_of_an_input_of_its_own() -> None:
    a, b = buffer(10), buffer(10)
    both = operation(reads=[a, b], writes=[buffer(10), buffer(10)], in_place=True)
    assert lifetimes([operation(writes=[a]), operation(writes=[b]), both]).peak_bytes == 20
    three = operation(reads=[a, b], writes=[buffer(10), buffer(10), buffer(10)], in_place=True)
    assert lifetimes([operation(writes=[a]), operation(writes=[b]), three]).peak_bytes == 30


def test_nothing_replaces_the_result_of_a_convolution_or_one_of_several() -> None:
    old, new = buffer(10), buffer(10)
    step = operation(reads=[old], writes=[new], in_place=True)
    assert lifetimes([operation(writes=[old], is_irreplaceable=True), step]).peak_bytes == 20
    assert lifetimes([operation(writes=[old, buffer(0)]), step]).peak_bytes == 20


def test_of_equal_peaks_the_first_counts() -> None:
    ops = [operation(writes=[buffer(5)]), operation(writes=[buffer(5)])]
    assert lifetimes(ops).operation is ops[0]


def test_an_empty_schedule() -> None:
    found = packed(lifetimes([]))
    assert (found.bytes, found.arena_bytes, found.operation, found.alive) == (0, 0, None, ())


@pytest.mark.parametrize("config", ["lenet5", "resnet18", "googlenet"])
def test_the_step_of_a_real_network(config: str) -> None:
    graph = load(config)
    operations = training_schedule(graph, setup_of(graph, UpdateSpec(), batch=2))
    account = Account(operations)
    sums = [sum(b.bytes for b in account.alive_at(index)) for index in range(len(operations))]
    assert lifetimes(operations).peak_bytes == max(sums)
