"""Hostile specs, each in a process of its own: refused in bounded time and memory, with no signal."""

import subprocess
import sys

import pytest

LOAD = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
from netcalc.analysis.report import analyze_graph
from pathlib import Path

from netcalc.checks.engine import check_graph
from netcalc.checks.files import Request, check_file
from netcalc.diagnostics import SpecError
from netcalc.graph import build
from netcalc.spec.load import load_spec
try:
    graph = build(load_spec(sys.argv[1]))
    json.dumps(analyze_graph(graph).to_dict())
    check_graph(graph)
    check_file(Path(sys.argv[1]), Request())
    print(" ".join(d.code for d in graph.diagnostics) or "loaded")
except SpecError as error:
    print(" ".join(d.code for d in error.diagnostics))
"""

MEMORY_BYTES = 3 * 2**30
SECONDS = 60


def outcome(tmp_path, text):
    """Return what loading the text in a process of bounded memory prints."""
    file = tmp_path / "hostile.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(file), str(MEMORY_BYTES)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode >= 0, f"ended by signal {-done.returncode}"
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    return done.stdout.strip()


def small(layers, params="{}", rest=""):
    return f"input: [8, 8, 3]\nparams: {params}\nlayers:\n{layers}\n{rest}"


def chain(first, link, length):
    """Return params of which each is made of the one before it."""
    links = [f"a{i}: {link.format(i - 1)}" for i in range(1, length)]
    return "{" + ", ".join([f"a0: {first}", *links]) + "}"


def groups(depth, times, leaf):
    for _ in range(depth):
        leaf = f"{{sequence: [{leaf}], repeat: {times}}}"
    return f"  - {leaf}"


def blocks(count, body, last="relu"):
    """Return a spec of blocks of which each is made of the next."""
    chained = "".join(f"  b{i}: {{layers: [{body.format(i + 1)}]}}\n" for i in range(count))
    return f"input: [4]\nblocks:\n{chained}  b{count}: {{layers: [{last}]}}\nlayers: [b0]\n"


HOSTILE = {
    "a long chain of blocks": (blocks(2_000, "b{}"), "NC005"),
    "a tree of blocks": (blocks(20, "b{0}, b{0}, b{0}, b{0}"), "NC005"),
    "a tree of blocks of nothing": (blocks(20, "b{0}, b{0}, b{0}, b{0}", last=""), "NC005"),
    "blocks that repeat": (blocks(6, "{{b{}: , repeat: 10000}}"), "NC005"),
    "twenty thousand blocks": (blocks(20_000, "b{}"), "NC005"),
    "a large kernel on a large map": (
        "input: [2000000000, 1]\nlayers: [conv: {filters: 1, kernel: 1000000000}]\n",
        "loaded",
    ),
    "maps that grow": ("input: [1, 1]\nlayers:\n  - {upsample: 2147483648, repeat: 500}\n", "NC108"),
    "channels that double": ("input: [1]\nlayers:\n" + "  - {crelu: , repeat: 10000}\n" * 2, "NC108"),
    "an input too large": ("input: [2000000000, 2000000000, 2000000000]\nlayers: [relu]\n", "NC108"),
    "strides without end": (
        "input: [1, 1, 1]\nlayers:\n  - {conv: {filters: 1, kernel: 1, stride: 2}, repeat: 10000}\n",
        "loaded",
    ),
    "directives": ("".join(f"%TAG !a{i}! t\n" for i in range(150_000)) + "---\ninput: [1]\n", "NC004"),
    "a long value": ("name: " + "x" * 3_000_000 + "\n", "NC005"),
    "a long value used often": (
        small(
            "  - sequence:\n" + "".join(f"    - {{relu: , from: $s, name: n{i}}}\n" for i in range(150)),
            "{s: " + "x" * 3_500_000 + "}",
        ),
        "NC005",
    ),
    "long lists compared": (
        small("  - {relu: , when: $(a==b)}\n" * 2_000, f"{{a: [{'1, ' * 90_000}], b: [{'1, ' * 90_000}]}}"),
        "NC015 " * 200 + "NC005",
    ),
    "defaults of many values": (
        f"input: [4]\ndefaults: {{reshape: {{shape: [{'1, ' * 200_000}]}}}}\nlayers:\n" + "  - reshape\n" * 5_000,
        "NC005",
    ),
    "names that add up": (
        small("  - relu").replace(
            "layers:\n  - relu",
            "blocks:\n"
            + "".join(f"  b{i}: {{layers: [{{b{i + 1}: , name: {'n' * 64}}}]}}\n" for i in range(60))
            + "  b60: {layers: [relu]}\nlayers: [b0]",
        ),
        "NC005",
    ),
    "one import many times": (
        "imports: [" + "hostile.yaml, " * 100_000 + "]\ninput: [4]\nlayers: [relu]\n",
        "NC010 NC010 NC005",
    ),
    "a spec that extends itself": ("extends: hostile.yaml\n", "NC018"),
    "a spec that imports itself": ("imports: [hostile.yaml]\ninput: [4]\nlayers: [relu]\n", "NC010 " * 2),
    "brackets": ("[" * 100_000, "NC005"),
    "braces": ("{a: " * 100_000, "NC005"),
    "dashes": ("- " * 100_000, "NC005"),
    "questions": ("? " * 100_000, "NC004"),
    "quoted brackets": (small("  - dense: $(" + "(" * 100_000 + ")" * 100_000 + ")"), "NC005"),
    "alias chain": ("a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 50_000)), "NC005"),
    "alias tree": (
        "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60)),
        "NC005",
    ),
    "anchors": ("".join(f"- &a{i} x\n" for i in range(100_000)), "NC012"),
    "a file of 5 MB": (small("  - relu\n" * 650_000), "NC005"),
    "bytes": (bytes(range(256)) * 1000, "NC002"),
    "a long key": ("x" * 3_000_000 + ": 1\n", "NC005"),
    "a long key after a question mark": ("? " + "x" * 3_000_000 + "\n: 1\n", "NC005"),
    "many unknown keys": ("".join(f"key{i}: 1\n" for i in range(100_000)), "NC010 " * 200 + "NC005"),
    "nested repeats": (small(groups(6, 10_000, "relu")), "NC005"),
    "repeats of nothing": (small(groups(6, 10_000, "")), "NC005"),
    "repeats of what is left out": (
        small("  - {repeat: 10000, sequence: [" + "{relu: , when: false}, " * 2_000 + "]}"),
        "NC005",
    ),
    "repeats of what cannot be read": (
        small("  - {repeat: 10000, sequence: [&x nolayer" + ", *x" * 10_000 + "]}"),
        "NC013 NC005",
    ),
    "repeated long list": (
        small(f"  - {{conv: {{filters: 1, kernel: [{'1, ' * 100_000}]}}, repeat: 10000}}"),
        "NC005",
    ),
    "repeated long text": (small("  - {dense: '" + "$(1)" * 2_000 + "', repeat: 10000}"), "NC015"),
    "eighty thousand errors": (
        small("  - {repeat: 10000, sequence: [&x {conv: {filter: 1, kernal: 3}}" + ", *x" * 7 + "]}"),
        "NC012 NC012 NC010 NC010",
    ),
    "repeated error": (small("  - {conv: {filter: 1}, repeat: 10000}"), "NC012 NC012 NC010"),
    "repeats beside many params": (
        small("  - {relu: , repeat: 10000}", "{" + ", ".join(f"p{i}: 1" for i in range(100_000)) + "}"),
        "loaded",
    ),
    "text that doubles": (small("  - relu", chain("xxxxxxxx", "$a{0}$a{0}", 60)), "NC015"),
    "list that doubles": (small("  - relu", chain("[1]", "[$a{0}, $a{0}]", 60)), "NC005"),
    "list that deepens": (small("  - relu", chain("[1]", "[$a{0}]", 5_000)), "NC015"),
    "many expressions": (small("  - relu", "{a: '" + "$(1)" * 900_000 + "'}"), "NC005"),
    "a power in every layer": (small("  - dense: $(9**4000000)\n" * 5_000), "NC015 " * 200 + "NC005"),
    "unknown nodes": (
        small("  - relu\n" * 5_000 + "".join(f"  - {{relu: , from: x{i}}}\n" for i in range(5_000))),
        "NC020 " * 200 + "NC005",
    ),
    "long names": (
        small("  - {sequence: [relu], name: " + "n" * 1_000_000 + ", repeat: 10000}"),
        "NC005",
    ),
    "a bad parameter in every layer": (
        small("  - conv: {filters: 1, kernel: [$p, 1]}\n" * 5_000, "{p: $q}"),
        "NC015",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused(name, tmp_path):
    text, codes = HOSTILE[name]
    assert outcome(tmp_path, text) == codes.strip()


def test_a_long_chain_of_imports_is_refused(tmp_path):
    for index in range(600):
        (tmp_path / f"i{index}.yaml").write_text(f"imports: [i{index + 1}.yaml]\n")
    assert outcome(tmp_path, "imports: [i0.yaml]\ninput: [4]\nlayers: [relu]\n") == "NC005"


GLOBS = ", ".join(f"'{'*a' * (i % 40)}{i}': {{params: 1, macs: 1}}" for i in range(200))


@pytest.mark.parametrize(
    ("rest", "codes"),
    [
        (f"budgets: {{nodes: {{{GLOBS}}}}}", "loaded"),
        (f"budgets: {{nodes: {{{', '.join(f'a{i}: {{params: 1}}' for i in range(2_000))}}}}}", "NC011"),
        ("budgets: {params: " + "9" * 9_000 + "}", "NC011"),
        ("budgets: {params: {max_increase: " + "9" * 9_000 + "%}}", "NC011"),
        ("budgets: {memory: {device: t4, batch: 2147483648, max: 1}, time: {device: t4, max: 1h}}", "loaded"),
        ("budgets: {baseline: /etc/passwd, params: {max_increase: 1%}}", "loaded"),
        (("# netcalc: ignore[" + "NC301," * 2_000 + "]\n") * 50, "loaded"),
    ],
    ids=["globs", "too many globs", "digits", "percent", "batch", "baseline", "suppressions"],
)
def test_budgets_and_suppressions(tmp_path, rest, codes):
    wide = "\n".join("  - {conv: {filters: 3, kernel: 1}}" for _ in range(1_000))
    assert outcome(tmp_path, small(wide, rest=rest)) == codes
