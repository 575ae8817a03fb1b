"""What the names and shapes in a step's program tell of its buffers."""

from __future__ import annotations

import pytest

from netcalc.train.ahead_of_time import CompiledMemory
from netcalc.train.scheduled_hlo import parse_hlo
from netcalc.train.step_memory import StepMemory, step_memory


def named(name: str) -> str:
    return f', metadata={{op_name="{name}"}}'


HEAD = f"""\
ENTRY %main (k: f32[16,32]) -> f32[16,32] {{
  %k = f32[16,32]{{1,0}} parameter(0){named("current.params['c1']['kernel']")}
  %m = f32[16,32]{{1,0}} parameter(1){named("current.optimizer[0].trace['c1']['kernel']")}
  %s = f32[32]{{0}} parameter(2){named("current.state['n1']['mean']")}
  %t = s32[] parameter(3){named("current.step")}
  %l = f32[] parameter(4){named("sums.loss")}
  %x = u8[64,16]{{1,0}} parameter(5){named("images['input']")}
  %y = s32[64]{{0}} parameter(6){named("labels")}
"""

ARGUMENTS = {"weights": 2048, "optimizer": 2048, "state": 128, "metrics": 8, "batch": 1024 + 256}


def memory_of(*lines: str, temp: int = 0, outputs: int = 0) -> StepMemory:
    text = HEAD + "".join(f"  {line}\n" for line in lines) + "}\n"
    arguments = sum(ARGUMENTS.values())
    assigned = CompiledMemory(arguments, 4096 + outputs, 4096, temp)
    return step_memory(parse_hlo(text), assigned, {"c1", "n1", "stage.2.conv1"})


def part_of(line: str, *readers: str) -> tuple[str, str | None]:
    """Return the part and node of the buffer %v that a line writes, the largest at the peak."""
    found = memory_of(line, *readers, "ROOT %r = f32[16,32]{1,0} dot(%k, %v)")
    return found.largest[0].part, found.largest[0].node


def test_arguments_outputs_and_the_rest_sum_to_the_total() -> None:
    found = memory_of("ROOT %r = f32[16,32]{1,0} dot(%k, %m)", temp=1000, outputs=192)
    assert {part: size for part, size in found.parts.items() if size} == {
        **ARGUMENTS, "outputs": 192, "unattributed": 1000,
    }  # fmt: skip
    assert (found.peak_node, found.largest, found.rematerialized) == (None, (), 0)


def test_what_is_unattributed_may_be_below_zero() -> None:
    lines = ["%v = f32[64,32]{1,0} dot(%x, %k)" + named("jit(step)/jvp(c1)/dot_general")]
    found = memory_of(*lines, "ROOT %r = f32[16,32]{1,0} dot(%v, %m)", temp=8000)
    assert found.parts["transient_activations"] == 8192
    assert found.parts["unattributed"] == 8000 - 8192
    assert found.peak_node == "c1"


FORWARD = named("jit(step)/jvp(stage.2.conv1)/conv_general_dilated")
BACKWARD = named("jit(step)/transpose(jvp(c1))/dot_general")


def test_a_forward_value_is_saved_where_the_backward_pass_reads_it() -> None:
    line = "%v = f32[64,32]{1,0} dot(%x, %k)" + FORWARD
    assert part_of(line) == ("transient_activations", "stage.2.conv1")
    assert part_of(line, "%w = f32[1]{0} dot(%v, %x)" + FORWARD) == ("transient_activations", "stage.2.conv1")
    assert part_of(line, "%w = f32[1]{0} dot(%v, %x)" + BACKWARD)[0] == "saved_activations"
    through_a_copy = ("%c = f32[1]{0} slice(%v)", "%w = f32[1]{0} dot(%c, %x)" + BACKWARD)
    assert part_of(line, *through_a_copy)[0] == "saved_activations"


def test_a_value_computed_anew_is_not_saved() -> None:
    line = "%v = f32[64,32]{1,0} dot(%x, %k)"
    again = named("jit(step)/transpose(jvp(jvp()))/checkpoint/rematted_computation/stage.2.conv1/dot_general")
    assert part_of(line + again) == ("transient_activations", "stage.2.conv1")
    gradient = named("jit(step)/transpose(jvp(jvp()))/checkpoint/stage.2.conv1/dot_general")
    assert part_of(line + gradient) == ("activation_gradients", "stage.2.conv1")


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("%v = f32[64,16]{1,0} dot(%x, %m)", "activation_gradients"),
        ("%v = f32[16,32]{1,0} dot(%x, %m)", "weight_gradients"),
        # Another order of axes, and axes of 1, as layouts have them.
        ("%v = f32[32,1,16]{2,1,0} dot(%x, %m)", "weight_gradients"),
        (
            '%v = f32[9,99]{1,0} custom-call(%x), custom_call_target="__cudnn$convBackwardFilter"',
            "weight_gradients",
        ),
        # Partial sums of a product that is split have an axis more; other values of that rank do not.
        ("%gemm_fusion_dot.1 = f32[4,16,32]{2,1,0} fusion(%x, %m)", "weight_gradients"),
        ("%v = f32[4,16,32]{2,1,0} fusion(%x, %m)", "activation_gradients"),
    ],
)
def test_a_gradient_of_a_parameter_has_its_shape(line: str, part: str) -> None:
    line, name = line.replace("%gemm_fusion_dot.1", "%v"), line.split(" = ")[0]
    found = memory_of(line.replace("%v", name, 1) + BACKWARD, f"ROOT %r = f32[16,32]{{1,0}} dot(%k, {name})")
    assert [buffer.part for buffer in found.largest] == [part]


def test_a_shape_counts_for_the_node_that_has_such_a_parameter() -> None:
    line = "%v = f32[16,32]{1,0} dot(%x, %m)" + named("jit(step)/transpose(jvp(stage.2.conv1))/dot_general")
    assert part_of(line) == ("activation_gradients", "stage.2.conv1")


def test_what_is_made_of_parameters_alone_is_a_copy_of_them() -> None:
    assert part_of("%v = f32[32,16]{1,0} copy(%k)") == ("weight_copies", "c1")
    assert part_of("%v = bf16[16,32]{1,0} fusion(%k)" + FORWARD)[0] == "weight_copies"
    assert part_of("%v = f32[16,32]{1,0} fusion(%k, %m)" + named("jit(step)/add"))[0] == "other"


def test_the_prepared_batch_is_an_activation() -> None:
    line = "%v = f32[64,16]{1,0} fusion(%x)" + named("jit(step)/div")
    assert part_of(line) == ("transient_activations", None)
    assert part_of(line, "%w = f32[1]{0} dot(%v, %x)" + BACKWARD)[0] == "saved_activations"


def test_what_has_no_name_is_what_it_is_made_of() -> None:
    gradient = "%g = f32[16,32]{1,0} dot(%x, %m)" + BACKWARD
    lines = (gradient, "%v = f32[32,16]{1,0} copy(%g)", "ROOT %r = f32[16,32]{1,0} dot(%v, %v)")
    assert [(b.part, b.node) for b in memory_of(*lines).largest] == [("weight_gradients", "c1")] * 2


def test_operations_that_run_again_are_counted() -> None:
    lines = ["%a.remat = f32[4]{0} fusion(%k)", "%a.remat2 = f32[4]{0} fusion(%a.remat)"]
    assert memory_of(*lines, "ROOT %r = f32[16,32]{1,0} dot(%k, %a.remat2)").rematerialized == 2
