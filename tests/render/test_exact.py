"""The compiler's figures beside the model's, as text and Markdown."""

from __future__ import annotations

from dataclasses import replace

from netcalc.analysis.exact import DoesNotFit, ExactMemory, PeakBuffer
from netcalc.render.exact import compared_parts, exact_markdown, exact_text, refusal_lines, verdict

EXACT = ExactMemory(
    device="NVIDIA H100",
    compiler="XLA 1",
    total_bytes=3500,
    parts={"weights": 1000, "saved_activations": 2600, "state": 0, "unattributed": -100},
    peak_node="c1|x",
    largest=(PeakBuffer(2600, "f32[650]", "saved_activations", None, "dot_general"),),
    memory_bytes=3000,
    rematerialized=2,
    excludes=("the rest",),
    seconds=4.25,
)


def test_parts_stand_beside_each_other_and_differ_by_what_the_model_has_more() -> None:
    assert compared_parts(EXACT.parts, {"weights": 1000, "saved_activations": 2000, "transient": 70}) == [
        ("weights", "1,000", "1,000", "+0"),
        ("saved activations", "2,600", "2,000", "-600"),
        ("unattributed", "-100", "–", "–"),
        ("transient", "–", "70", "–"),
        ("total", "3,500", "3,070", "-430"),
    ]


def test_without_a_model_there_is_no_difference() -> None:
    assert compared_parts({"weights": 8}, {}) == [("weights", "8", "–", "–"), ("total", "8", "–", "–")]


def test_the_verdict_says_whether_it_fits() -> None:
    total = "3,500 bytes (3.50 kB) a step on NVIDIA H100"
    assert verdict(EXACT) == f"{total}: does not fit its 3.00 kB"
    assert verdict(replace(EXACT, memory_bytes=3500)) == f"{total}: fits its 3.50 kB"
    assert verdict(replace(EXACT, memory_bytes=None)) == total


def test_text() -> None:
    assert exact_text(EXACT, {}) == [
        "3,500 bytes (3.50 kB) a step on NVIDIA H100: does not fit its 3.00 kB",
        "",
        " part                compiler   model   difference",
        " weights                1,000       –            –",
        " saved activations      2,600       –            –",
        " unattributed            -100       –            –",
        " total                  3,500       –            –",
        "",
        "the peak stands at c1|x; the largest buffers there, arguments apart:",
        " bytes   type       part                node   operation",
        " 2,600   f32[650]   saved activations   –      dot_general",
        "",
        "compiled by XLA 1 in 4.2 s, without the device",
        "to save memory, 2 operations of the step run once more",
        "not included: the rest",
    ]


def test_markdown_escapes_what_is_not_its_own() -> None:
    lines = exact_markdown(EXACT, {"weights": 1000})
    assert "| weights | 1,000 | 1,000 | +0 |" in lines
    assert "| 2,600 | f32\\[650\\] | saved activations | – | dot\\_general |" in lines
    assert "the peak stands at c1\\|x; the largest buffers there, arguments apart:" in lines


def test_a_refusal_names_its_sizes_or_the_compilers_words() -> None:
    refusal = DoesNotFit("TPU v5e", "XLA 1", 20 * 10**9, 16 * 10**9, "RESOURCE_EXHAUSTED", 1.0)
    assert refusal_lines(refusal) == [
        "does not fit TPU v5e: 20.00 GB needed, 16.00 GB there", "(RESOURCE_EXHAUSTED)",
    ]  # fmt: skip
    assert refusal_lines(replace(refusal, needed_bytes=None)) == ["does not fit TPU v5e: RESOURCE_EXHAUSTED"]
