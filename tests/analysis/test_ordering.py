"""The list scheduler against a plain form of its rule, on random schedules and on real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given

from netcalc.analysis.operations import KEEP, UPDATE, Buffer, Operation
from netcalc.analysis.ordering import list_schedule, without_needless_copies
from netcalc.analysis.schedule import training_schedule
from netcalc.analysis.setup import setup_of
from netcalc.spec.training import UpdateSpec
from tests.analysis.schedules import argument, buffer, operation, schedules
from tests.configs.zoo import load


def inner(buffers: Sequence[Buffer]) -> set[Buffer]:
    """Return the buffers that operations write, each once: arguments are there from the start."""
    return {buffer for buffer in buffers if buffer.role != "argument"}


def by_the_rule(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Of all whose inputs are written, run the one that leaves fewest bytes; of equals the last to be ready.

    An operation that leaves another number of bytes than before counts as ready from then on.
    """
    waiting, written, order = list(range(len(operations))), set[Buffer](), []
    since: list[tuple[int, int]] = []  # what is ready, and the bytes that it leaves, in order

    def left(index: int) -> int:
        own = operations[index]
        others = [inner(operations[other].reads) for other in waiting if other != index]
        freed = {b for b in inner(own.reads) if not any(b in reads for reads in others)}
        return sum(b.bytes for b in own.writes) - sum(b.bytes for b in freed)

    while waiting:
        known = [index for index, _ in since]
        ready = [index for index in waiting if inner(operations[index].reads) <= written]
        since += [(index, left(index)) for index in ready if index not in known]
        changed = sorted(index for index, before in since if left(index) != before)
        since = [entry for entry in since if entry[0] not in changed]
        since += [(index, left(index)) for index in changed]
        chosen, _ = min(reversed(since), key=lambda entry: entry[1])
        since = [entry for entry in since if entry[0] != chosen]
        waiting.remove(chosen)
        written |= inner(operations[chosen].writes)
        order.append(operations[chosen])
    return tuple(order)


@given(schedules())
def test_the_order_is_that_of_the_rule(operations: list[Operation]) -> None:
    assert list_schedule(operations) == by_the_rule(operations)


@given(schedules())
def test_every_operation_runs_once_and_after_those_that_write_what_it_reads(operations: list[Operation]) -> None:
    order = list_schedule(operations)
    assert len(order) == len(operations)
    assert {id(op) for op in order} == {id(op) for op in operations}
    written: set[Buffer] = set()
    for op in order:
        assert inner(op.reads) <= written
        written |= inner(op.writes)


@given(schedules())
def test_the_order_is_a_fixed_one(operations: list[Operation]) -> None:
    assert list_schedule(operations) == list_schedule(list(operations))


def test_what_frees_more_comes_first() -> None:
    small, large, a, b = buffer(10), buffer(100), buffer(1), buffer(1)
    make = operation(writes=[small, large])
    first, second = operation(reads=[small], writes=[a]), operation(reads=[large], writes=[b])
    assert list_schedule([make, first, second]) == (make, second, first)


def test_of_equals_the_last_to_be_ready_comes_first() -> None:
    source = buffer(8)
    readers = [operation(reads=[source], writes=[buffer(4)]) for _ in range(5)]
    make = operation(writes=[source])
    # All leave 4 bytes but the last, for which nobody else still reads the source.
    assert list_schedule([make, *readers]) == (make, *reversed(readers))


def keep(weights: Buffer, copy: Buffer) -> Operation:
    return replace(operation(reads=[weights], writes=[copy]), name=KEEP)


def test_a_copy_of_weights_stays_where_others_read_it_after_the_update() -> None:
    weights, copy = argument(8), Buffer("kernel", "n", 8, "copy")
    update = replace(operation(reads=[copy], writes=[weights]), name=UPDATE)
    reader = operation(reads=[copy], writes=[buffer(4)])
    late = (keep(weights, copy), update, reader)
    assert without_needless_copies(late) == late
    early = without_needless_copies((keep(weights, copy), reader, update))
    assert [op.reads for op in early] == [(weights,), (weights,)]
    assert [op.writes for op in early] == [reader.writes, update.writes]


def test_a_copy_in_another_precision_is_never_needless() -> None:
    weights, copy = argument(8), Buffer("kernel", "n", 4, "copy")
    converted = replace(operation(reads=[weights], writes=[copy]), name="copy")
    steps = (converted, operation(reads=[copy]), replace(operation(writes=[weights]), name=UPDATE))
    assert without_needless_copies(steps) == steps


def test_arguments_neither_delay_nor_are_freed() -> None:
    weights = argument(1000)
    dear, cheap = operation(reads=[weights], writes=[buffer(9)]), operation(writes=[buffer(8)])
    update = operation(reads=[weights], writes=[weights])
    assert list_schedule([dear, update, cheap]) == (cheap, dear, update)


def test_a_buffer_that_is_read_twice_by_one_is_freed_once() -> None:
    squared, other, big = buffer(10), buffer(15), buffer(1)
    make = operation(writes=[squared, other])
    square, free = operation(reads=[squared, squared], writes=[big]), operation(reads=[other], writes=[buffer(1)])
    assert list_schedule([make, square, free]) == (make, free, square)


def test_nothing_to_run() -> None:
    assert list_schedule([]) == ()


@pytest.mark.parametrize("config", ["lenet5", "resnet18", "mobilenet_v3_small", "unet_same"])
def test_the_steps_of_real_networks(config: str) -> None:
    graph = load(config)
    operations = training_schedule(graph, setup_of(graph, UpdateSpec(), batch=4))
    assert list_schedule(operations) == by_the_rule(operations)
    later = replace(operations[-1], name="again")
    assert list_schedule((*operations, later))[-1].name in ("again", operations[-1].name)
