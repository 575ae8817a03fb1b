"""Scheduled HLO text as data: types with layouts and tiles, operands, called computations."""

from __future__ import annotations

import pytest

from netcalc.train.scheduled_hlo import Array, Instruction, parse_hlo

TEXT = """\
HloModule jit_step, is_scheduled=true, input_output_alias={ {0}: (0, {}, may-alias) }

%body.1 (carry: (s32[], f32[8])) -> (s32[], f32[8]) {
  %carry = (s32[], f32[8]{0}) parameter(0)
  ROOT %next = (s32[], f32[8]{0}) custom-call(%carry), custom_call_target="turn"
}

%fused_add (a: f32[2]) -> f32[2] {
  %a = f32[2]{0} parameter(0)
  ROOT %sum = f32[2]{0} add(%a, %a)
}

ENTRY %main.9 (w.1: f32[6,5,5,1], x: f32[64,32,32,1]) -> (f32[6,5,5,1], f32[64,28,28,6]) {
  %w.1 = f32[6,5,5,1]{3,2,1,0} parameter(0), metadata={op_name="current.params[\\'c1\\'][\\'kernel\\']"}
  %x = f32[64,32,32,1]{3,2,1,0} parameter(1), metadata={op_name="images[\\'input\\']"}
  %cudnn-conv.2 = (f32[64,28,28,6]{3,2,1,0}, /*index=1*/u8[0]{0}) custom-call(%x, %w.1), window={size=5x5}, \
custom_call_target="__cudnn$convForward", metadata={op_name="jit(step)/jvp(c1)/conv_general_dilated"}
  %get-tuple-element.1 = f32[64,28,28,6]{3,2,1,0} get-tuple-element(%cudnn-conv.2), index=0
  %fusion.3 = bf16[64,28,28,6]{3,2,1,0} fusion(%get-tuple-element.1), kind=kLoop, calls=%fused_add
  %constant.4 = f32[] constant(1), metadata={op_name="%not an operand"}
  %while.5 = (s32[], f32[8]{0}) while(%fusion.3), condition=%test.2, body=%body.1
  ROOT %tuple.6 = (f32[6,5,5,1]{3,2,1,0}, f32[64,28,28,6]{3,2,1,0}) tuple(%w.1, %get-tuple-element.1)
}
"""


@pytest.fixture(scope="module")
def entry() -> dict[str, Instruction]:
    module = parse_hlo(TEXT)
    assert module.entry == "main.9"
    assert list(module.computations) == ["body.1", "fused_add", "main.9"]
    return {instruction.name: instruction for instruction in module.computations[module.entry]}


def test_instructions_keep_the_order_they_run_in(entry: dict[str, Instruction]) -> None:
    assert list(entry) == [
        "w.1", "x", "cudnn-conv.2", "get-tuple-element.1", "fusion.3", "constant.4", "while.5", "tuple.6",
    ]  # fmt: skip
    assert [name for name, instruction in entry.items() if instruction.is_root] == ["tuple.6"]


def test_an_instruction_has_its_types_operands_and_name(entry: dict[str, Instruction]) -> None:
    conv = entry["cudnn-conv.2"]
    assert (conv.opcode, conv.operands, conv.target) == ("custom-call", ("x", "w.1"), "__cudnn$convForward")
    assert [str(array) for array in conv.arrays] == ["f32[64,28,28,6]", "u8[0]"]
    assert conv.is_tuple
    assert conv.op_name == "jit(step)/jvp(c1)/conv_general_dilated"
    assert entry["w.1"].op_name == "current.params['c1']['kernel']"
    assert (entry["get-tuple-element.1"].index, conv.index) == (0, None)


def test_a_constant_has_no_operands(entry: dict[str, Instruction]) -> None:
    assert entry["constant.4"].operands == ()


def test_computations_that_are_part_of_an_instruction_are_not_called(entry: dict[str, Instruction]) -> None:
    assert entry["fusion.3"].calls == ()
    assert entry["while.5"].calls == ("test.2", "body.1")


def array_of(type: str) -> Array:
    module = parse_hlo(f"ENTRY %main (p: f32[]) -> f32[] {{\n  ROOT %p = {type} parameter(0)\n}}\n")
    (array,) = module.computations["main"][0].arrays
    return array


@pytest.mark.parametrize(
    ("type", "bytes"),
    [
        ("f32[]", 4), ("f32[64,28,28,6]{3,2,1,0}", 1204224), ("bf16[3]{0}", 6), ("pred[5]{0}", 5), ("s4[3]{0}", 2),
        ("f8e4m3fn[7]{0}", 7), ("u8[0]{0}", 0), ("token[]", 0), ("f32[<=8,2]{1,0}", 64),
        # A TPU stores whole tiles, along the axes that are minor in memory.
        ("f32[]{:T(128)}", 512), ("f32[6]{0:T(128)}", 512), ("f32[400,120]{1,0:T(8,128)}", 400 * 128 * 4),
        ("f32[120,84]{0,1:T(8,128)}", 88 * 128 * 4), ("bf16[5,20]{1,0:T(8,128)(2,1)}", 8 * 128 * 2),
        ("f32[64,32,32,1]{0,3,2,1:T(1,128)}", 32 * 32 * 128 * 4),
    ],
)  # fmt: skip
def test_bytes_of_a_type(type: str, bytes: int) -> None:
    assert array_of(type).bytes == bytes


def test_a_memory_space_other_than_the_first_is_on_the_chip() -> None:
    assert array_of("f32[6]{0:T(128)S(1)}").on_chip
    assert not array_of("f32[6]{0:T(128)S(0)}").on_chip
    assert not array_of("f32[6]{0:T(128)}").on_chip


@pytest.mark.parametrize(
    "text",
    ["", "HloModule nothing\n", "%body (a: f32[]) -> f32[] {\n  ROOT %a = f32[] parameter(0)\n}\n"],
)
def test_a_text_without_an_entry_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="entry"):
        parse_hlo(text)


@pytest.mark.parametrize("line", ["  %a = f32[] add(%b", "  %a = (f32[], f32[] add(%b)", "  %a = f32[] 7"])
def test_a_line_that_is_no_instruction_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"parentheses|instruction"):
        parse_hlo(f"ENTRY %main (b: f32[]) -> f32[] {{\n{line}\n}}\n")
