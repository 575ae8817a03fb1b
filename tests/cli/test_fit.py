"""`netcalc fit`: its forms, its exit codes, and what people get wrong."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from netcalc.analysis.device_files import known_devices
from tests.cli.test_golden import DOES_NOT_FIT
from tests.cli.test_terminal import in_terminal
from tests.conftest import Cli

RESNET, LENET = "configs/resnet18.yaml", "configs/lenet5.yaml"

SMALL = """\
devices:
  small: {kind: gpu, memory: 16MiB, usable: 14MiB, bandwidth: 300GB}
  smaller: {extends: small, memory: 1MiB, usable: 900KiB}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.mark.parametrize(
    ("format", "suffix"), [("table", "txt"), ("json", "json"), ("markdown", "md"), ("csv", "csv")]
)
def test_the_largest_batch(here: Cli, golden, format: str, suffix: str) -> None:
    done = here("fit", RESNET, "--device", "t4", "-f", format)
    assert (done.stderr, done.code) == ("", 0)
    golden(f"fit_resnet18_t4.{suffix}", done.stdout)


def test_a_no_is_an_answer_and_fails_a_job(here: Cli, golden) -> None:
    done = here("fit", RESNET, "--device", "T4", "--batch", 1024)
    assert (done.stderr, done.code) == ("", 1)
    golden("fit_resnet18_t4_1024.txt", done.stdout)
    written = json.loads(here("fit", RESNET, "--device", "T4", "--batch", 1024, "-f", "json").stdout)
    assert (written["batch"], written["devices"][0]["fits"]) == (1024, False)


def test_a_yes(here: Cli) -> None:
    done = here("fit", RESNET, "--device", "t4", "--batch", 8)
    assert (done.stderr, done.code) == ("", 0)
    assert "batch 8        fits\n" in done.stdout
    assert "Room for more" not in done.stdout


@pytest.mark.parametrize(("format", "suffix"), [("table", "txt"), ("markdown", "md")])
def test_all_devices(here: Cli, golden, format: str, suffix: str) -> None:
    done = here("fit", RESNET, "--device", "all", "--batch", 256, "-f", format)
    assert (done.stderr, done.code) == ("", 0)
    golden(f"fit_resnet18_all.{suffix}", done.stdout)


def test_all_devices_are_the_default_and_data_hold_every_one(here: Cli) -> None:
    listed = json.loads(here("fit", LENET, "-f", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(here("fit", LENET, "-f", "csv", "--device", "all").stdout)))
    assert [d["device"] for d in listed["devices"]] == [row["device"] for row in rows] == list(known_devices())
    for record, row in zip(listed["devices"], rows, strict=True):
        for key in ("max_batch", "margin_bytes", "peak_at", "note"):
            assert row[key] == ("" if record[key] is None else str(record[key]))
        assert row["limited_by_bytes"] == (str(record["limited_by"]["bytes"]) if record["limited_by"] else "")


def test_options_are_the_specs_own_keys(here: Cli, tmp_path: Path, small: Path) -> None:
    given = here(
        "fit", LENET, "--device", "small", "--devices", small, "-f", "json",
        "--optimizer", "sgd", "--precision", "mixed", "--remat", "conv_outputs",
    )  # fmt: skip
    changes = ("train.optimizer=sgd", "train.precision=mixed", "train.remat=conv_outputs")
    words = [word for change in changes for word in ("--set", change)]
    own = here("fit", LENET, "--device", "small", "--devices", small, "-f", "json", *words)
    assert own.stdout == given.stdout
    found = json.loads(own.stdout)
    assert [found[key] for key in ("optimizer", "precision", "remat")] == ["sgd", "mixed", "conv_outputs"]
    plain = json.loads(here("fit", LENET, "--device", "small", "--devices", small, "-f", "json").stdout)
    assert plain["optimizer"] == "adam"
    assert 0 < plain["devices"][0]["max_batch"] < found["devices"][0]["max_batch"]


def test_not_even_one_sample(here: Cli, small: Path) -> None:
    done = here("fit", LENET, "--device", "smaller", "--devices", small)
    assert (done.stderr, done.code) == ("", 1)
    assert "largest batch  none: not even one sample fits\n" in done.stdout
    assert "missing " in done.stdout


def test_the_whole_of_small_memory_is_found_by_asking(here: Cli, small: Path) -> None:
    words = ("fit", LENET, "--device", "small", "--devices", small)
    most = json.loads(here(*words, "-f", "json").stdout)["devices"][0]["max_batch"]
    codes = [here(*words, "--batch", batch).code for batch in range(1, most + 2)]
    assert codes == [0] * most + [1]


@pytest.mark.parametrize("name", ["cpu", "tpu-v4"])
def test_a_device_without_a_rule(here: Cli, name: str) -> None:
    done = here("fit", LENET, "--device", name)
    assert (done.stdout, done.code) == ("", 2)
    assert done.stderr.startswith("error: there is no rule for the memory of a ")
    assert f"`netcalc analyze SPEC --device {name} --exact`" in done.stderr


def test_an_unknown_device(here: Cli) -> None:
    done = here("fit", LENET, "--device", "h101")
    assert (done.stdout, done.code) == ("", 2)
    assert done.stderr == "error: unknown device `h101`\nhelp: did you mean `h100`? `netcalc devices` lists all\n"


@pytest.mark.parametrize("batch", ["0", "-1", "many"])
def test_no_batch(here: Cli, batch: str) -> None:
    done = here("fit", LENET, "--device", "t4", "--batch", batch)
    assert (done.stdout, done.code) == ("", 2)
    assert "--batch" in done.stderr


def test_a_batch_beyond_all_reason(here: Cli) -> None:
    done = here("fit", LENET, "--device", "t4", "--batch", 10**18)
    assert (done.stderr, done.code) == ("", 1)


def test_a_network_with_errors(here: Cli, tmp_path: Path) -> None:
    (tmp_path / "misfit.yaml").write_text(DOES_NOT_FIT)
    for format in ("table", "json"):
        done = here("fit", "misfit.yaml", "--device", "t4", "-f", format, cwd=tmp_path)
        assert (done.stdout, done.code) == ("", 1)
        assert "misfit.yaml:5:" in done.stderr
        assert "error[NC102]" in done.stderr


def test_a_spec_that_is_none(here: Cli, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("input: [8, 8, 1]\nlayers: [rleu]\n")
    done = here("fit", "wrong.yaml", cwd=tmp_path)
    assert (done.stdout, done.code) == ("", 1)
    assert "error[NC013]" in done.stderr
    missing = here("fit", "absent.yaml", cwd=tmp_path)
    assert (missing.stdout, missing.code) == ("", 2)


def test_the_answer_can_go_to_a_file(here: Cli, golden, tmp_path: Path) -> None:
    done = here("fit", RESNET, "--device", "t4", "-f", "json", "-o", tmp_path / "fit.json")
    assert (done.output, done.code) == ("", 0)
    golden("fit_resnet18_t4.json", (tmp_path / "fit.json").read_text())


@pytest.mark.parametrize(("columns", "left_out"), [(200, set()), (105, {"name"}), (80, {"name", "limited"})])
def test_the_table_fits_a_terminal(columns: int, left_out: set[str]) -> None:
    done = in_terminal(columns, "fit", LENET, env={"NO_COLOR": "1"})
    lines = done.stdout.splitlines()
    assert done.code == 0
    assert max(map(len, lines[:-3])) <= columns
    assert {"device", "name", "needed", "usable", "free", "limited"} - set(lines[2].split()) == left_out
