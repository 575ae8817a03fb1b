"""The peak of temporaries: hand-made programs, and random ones against counting every instant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcalc.train.hlo_liveness import Peak, buffers_of, temporaries_peak
from netcalc.train.scheduled_hlo import parse_hlo


def peak_of(*lines: str, others: str = "", in_place: bool = False) -> Peak:
    body = "".join(f"  {line}\n" for line in lines)
    module = parse_hlo(f"{others}ENTRY %main (p: f32[32]) -> f32[32] {{\n{body}}}\n")
    return temporaries_peak(module, buffers_of(module.computations[module.entry]), in_place=in_place)


def alive(peak: Peak) -> set[str]:
    return {buffer.writer.name for buffer in peak.alive}


P = "%p = f32[32]{0} parameter(0)"


def test_arguments_and_results_are_no_temporaries() -> None:
    peak = peak_of(P, "ROOT %y = f32[32]{0} negate(%p)")
    assert (peak.bytes, peak.at) == (0, None)


def test_a_buffer_lives_from_its_writer_to_its_last_reader() -> None:
    peak = peak_of(
        P,
        "%a = f32[32]{0} dot(%p, %p)",
        "%b = f32[64]{0} dot(%a, %p)",
        "%c = f32[32]{0} dot(%b, %p)",
        "%d = f32[32]{0} dot(%c, %a)",
        "ROOT %y = f32[32]{0} dot(%d, %p)",
    )
    assert peak.at is not None
    assert (peak.bytes, peak.at.name, alive(peak)) == (512, "c", {"a", "b", "c"})


def test_sizes_are_rounded_up_to_the_alignment() -> None:
    peak = peak_of(P, "%a = f32[33]{0} dot(%p, %p)", "ROOT %y = f32[32]{0} dot(%a, %p)")
    assert peak.bytes == 256


def test_an_operation_reads_and_writes_in_different_places() -> None:
    peak = peak_of(
        P, "%a = f32[64]{0} dot(%p, %p)", "%b = f32[64]{0} fusion(%a)", "ROOT %y = f32[32]{0} dot(%b, %p)"
    )
    assert (peak.bytes, alive(peak)) == (512, {"a", "b"})


def test_elementwise_work_in_place_takes_that_of_an_input_that_dies() -> None:
    lines = [P, "%a = f32[32]{0} dot(%p, %p)", "%b = f32[32]{0} fusion(%a, %p)", "ROOT %y = f32[32]{0} dot(%b, %p)"]
    assert peak_of(*lines, in_place=True).bytes == 128
    assert peak_of(*(line.replace("fusion", "dot") for line in lines), in_place=True).bytes == 256
    # Not while the input is read again.
    assert peak_of(*lines[:-1], "ROOT %y = f32[32]{0} dot(%b, %a)", in_place=True).bytes == 256
    # Nor where the sizes differ.
    lines[1] = "%a = f32[64]{0} dot(%p, %p)"
    assert peak_of(*lines, in_place=True).bytes == 256 + 128


def test_views_and_tuples_keep_what_they_hold_alive() -> None:
    peak = peak_of(
        P,
        "%pair = (f32[32]{0}, f32[64]{0}) custom-call(%p)",
        "%a = f32[32]{0} get-tuple-element(%pair), index=0",
        "%view = f32[4,8]{1,0} bitcast(%a)",
        "%big = f32[128]{0} dot(%p, %p)",
        "%c = f32[32]{0} dot(%big, %view)",
        "ROOT %y = f32[32]{0} dot(%c, %p)",
    )
    # The pair's second part is read by nobody, and so is gone when the large buffer comes.
    assert (peak.bytes, alive(peak)) == (128 + 512 + 128, {"pair", "big", "c"})


def test_a_result_in_a_tuple_is_no_temporary() -> None:
    peak = peak_of(P, "%a = f32[32]{0} dot(%p, %p)", "ROOT %y = (f32[32]{0}, f32[32]{0}) tuple(%a, %p)")
    assert peak.bytes == 0


LOOP = """\
%body (c: (f32[32], s32[])) -> (f32[32], s32[]) {
  %c = (f32[32]{0}, s32[]) parameter(0)
  %x = f32[32]{0} get-tuple-element(%c), index=0
  %i = s32[] get-tuple-element(%c), index=1
  %inner = f32[256]{0} dot(%x, %x)
  %next = f32[32]{0} dot(%inner, %x)
  ROOT %r = (f32[32]{0}, s32[]) tuple(%next, %i)
}

"""


def test_a_loop_adds_the_peak_of_its_body_and_works_on_its_operands_place() -> None:
    peak = peak_of(
        P,
        "%a = f32[32]{0} dot(%p, %p)",
        "%i = s32[] custom-call()",
        "%start = (f32[32]{0}, s32[]) tuple(%a, %i)",
        "%loop = (f32[32]{0}, s32[]) while(%start), condition=%test, body=%body",
        "%b = f32[32]{0} get-tuple-element(%loop), index=0",
        "ROOT %y = f32[32]{0} dot(%b, %p)",
        others=LOOP,
    )
    assert peak.at is not None
    assert (peak.bytes, peak.at.name, alive(peak)) == (128 + 128 + 1024, "inner", {"a", "i", "inner"})


def test_a_copy_to_the_chip_takes_no_memory_of_the_device() -> None:
    start = "%s = (f32[64]{0:T(128)S(1)}, f32[64]{0:T(128)}, u32[]{:S(2)}) copy-start(%a)"
    peak = peak_of(
        P,
        "%a = f32[64]{0:T(128)} dot(%p, %p)",
        start,
        "%d = f32[64]{0:T(128)S(1)} copy-done(%s)",
        "%b = f32[64]{0:T(128)S(1)} dot(%d, %p)",
        "ROOT %y = f32[32]{0} dot(%b, %d)",
    )
    assert peak.bytes == 512


@pytest.mark.parametrize("kind", ["async", "slice"])
def test_work_that_runs_aside_keeps_its_operands_until_it_is_done(kind: str) -> None:
    peak = peak_of(
        P,
        "%a = f32[32]{0} dot(%p, %p)",
        f"%s = ((f32[32]{{0}}), f32[64]{{0}}, u32[]) {kind}-start(%a), calls=%aside",
        "%big = f32[128]{0} dot(%p, %p)",
        f"%d = f32[64]{{0}} {kind}-done(%s)",
        "ROOT %y = f32[32]{0} dot(%d, %big)",
    )
    assert peak.bytes == 128 + 256 + 128 + 512


@st.composite
def programs(draw: st.DrawFn) -> list[tuple[int, list[int]]]:
    """Elements of each instruction, and the earlier ones that it reads."""
    steps = []
    for position in range(draw(st.integers(1, 12))):
        earlier = st.lists(st.integers(0, position - 1), max_size=3) if position else st.just([])
        steps.append((draw(st.integers(1, 200)), draw(earlier)))
    return steps


@given(programs())
def test_random_programs_have_the_peak_that_counting_every_instant_finds(
    steps: list[tuple[int, list[int]]],
) -> None:
    lines = [P]
    for position, (elements, reads) in enumerate(steps):
        operands = ", ".join(["%p", *(f"%v{read}" for read in reads)])
        lines.append(f"%v{position} = f32[{elements}]{{0}} dot({operands})")
    peak = peak_of(*lines, "ROOT %y = f32[32]{0} dot(%p, %p)")
    last = {position: position for position in range(len(steps))}
    for position, (_, reads) in enumerate(steps):
        last |= dict.fromkeys(reads, position)
    instants = (
        sum(-(-4 * steps[v][0] // 128) * 128 for v in range(now + 1) if last[v] >= now) for now in range(len(steps))
    )
    assert peak.bytes == max(instants) == sum(buffer.bytes for buffer in peak.alive)
