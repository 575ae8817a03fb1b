"""What is imported: the calculator needs no array library, and `import netcalc` next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT, command_env

HEAVY = ["jax", "jaxlib", "numpy", "optax", "matplotlib", "PIL", "safetensors"]

RUN = """
import json, os, sys
sys.argv = ["netcalc", *json.loads(sys.argv[1])]
from netcalc.cli.app import main
code = 0
try:
    main()
except SystemExit as end:
    code = end.code or 0
sys.stdout.flush()
print()
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def imported_by(code: str, *args: str) -> list[object]:
    """Run Python code in a fresh process and return the JSON of its last line."""
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        cwd=ROOT, env=command_env(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    "words",
    [
        ["analyze", "configs/lenet5.yaml"],
        *[["analyze", "configs/lenet5.yaml", "-f", format] for format in ("json", "csv", "markdown")],
        ["analyze", "configs/lenet5.yaml", "--batch", "64", "--device", "t4", "--images", "1000"],
        ["check", "configs/lenet5.yaml", "configs/lecture/stride2.yaml"],
        *[["check", "configs/lenet5.yaml", "-f", format] for format in ("json", "concise")],
        ["compare-tools", "configs/lenet5.yaml"],
        *[["diff", "configs/vgg11.yaml", "configs/vgg13.yaml", "-f", f] for f in ("table", "json", "markdown")],
        ["rules"],
        *[["rule", code, "-f", "markdown"] for code in ("NC301", "redundant-bias", "NC101")],
        ["devices"],
        ["fit", "configs/lenet5.yaml", "--device", "t4"],
        ["fit", "configs/lenet5.yaml", "-f", "json"],
        ["devices", "h100", "-f", "json"],
        ["--help"],
        ["runs", "--help"],
        ["plot", "--help"],
        ["--version"],
        *[
            [name, "--help"]
            for name in ("analyze", "check", "diff", "fit", "devices", "train", "evaluate", "predict")
        ],
    ],
    ids=" ".join,
)
def test_commands_that_compute_nothing_import_no_array_library(words: list[str]) -> None:
    code, names = imported_by(RUN, json.dumps(words))
    assert code == 0
    assert isinstance(names, list)
    assert {"netcalc", "typer"} <= set(names)
    assert not set(HEAVY) & set(names)


def test_errors_import_no_array_library() -> None:
    words = ["train", "configs/lenet5.yaml", "--set", "layers.c1.kernel=99"]
    code, names = imported_by(RUN, json.dumps(words))
    assert code == 1
    assert isinstance(names, list)
    assert not set(HEAVY) & set(names)


def test_import_netcalc_imports_next_to_nothing() -> None:
    code = "import json, sys, netcalc; print(json.dumps(sorted(m.partition('.')[0] for m in sys.modules)))"
    names = set(imported_by(code))
    assert "netcalc" in names
    assert not names & {"pydantic", "pydantic_core", "rich", "typer", "click", "yaml", *HEAVY}


def test_names_of_the_library_come_when_they_are_used() -> None:
    code = (
        "import json, sys, netcalc; netcalc.{name}; "
        "print(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    )
    functions, records = (
        ("load", "analyze", "check", "diff"),
        ("Graph", "Report", "Diff", "SpecError", "Diagnostic"),
    )
    for name in (*functions, "compile", *records):
        assert not set(imported_by(code.format(name=name))) & set(HEAVY), name
    assert "jax" in imported_by(code.format(name="Network"))
    demand = "analyze('configs/lenet5.yaml', batch=8, device='t4')"
    assert not set(imported_by(code.format(name=demand))) & set(HEAVY)
    difference = "diff('configs/vgg11.yaml', 'configs/vgg13.yaml', device='t4')"
    assert not set(imported_by(code.format(name=difference))) & set(HEAVY)


def test_an_analysis_without_a_device_reads_no_file_of_devices() -> None:
    code = """
import json, sys
sys.argv = ["netcalc", "analyze", "configs/lenet5.yaml"]
from netcalc.cli.app import main
try:
    main()
except SystemExit:
    pass
print()
print(json.dumps([name for name in sys.modules if name.startswith("netcalc.")]))
"""
    names = imported_by(code)
    assert "netcalc.analysis.report" in names
    assert "netcalc.analysis.device_files" not in names
