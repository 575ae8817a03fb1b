"""`netcalc devices`: its forms, its filter, and files of users."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from netcalc.analysis.device_files import known_devices
from netcalc.cli.device_files import configuration_file
from tests.cli.test_terminal import in_terminal
from tests.conftest import Cli

PRICED = """\
devices:
  h100: {extends: h100, price_per_hour: 2.5, currency: USD}
  mine: {kind: gpu, memory: 12GiB, bandwidth: 300GB, peak: {float32: 10T}}
"""

WRONG = """\
devices:
  mine:
    extends: h1000
    memory: 80G
"""


@pytest.fixture
def priced(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(PRICED)
    return path


def test_the_list(cli: Cli, golden) -> None:
    done = cli("devices")
    assert (done.stderr, done.code) == ("", 0)
    golden("devices.txt", done.stdout)


@pytest.mark.parametrize(
    ("format", "suffix"), [("table", "txt"), ("json", "json"), ("markdown", "md"), ("csv", "csv")]
)
def test_one_device(here: Cli, golden, format: str, suffix: str) -> None:
    done = here("devices", "h100", "-f", format)
    assert (done.stderr, done.code) == ("", 0)
    golden(f"devices_h100.{suffix}", done.stdout)


def test_data_hold_every_device_and_figure(here: Cli) -> None:
    listed = json.loads(here("devices", "-f", "json").stdout)
    assert listed["format"] == "netcalc.devices/1"
    rows = list(csv.DictReader(io.StringIO(here("devices", "-f", "csv").stdout)))
    assert [d["key"] for d in listed["devices"]] == [row["key"] for row in rows] == list(known_devices())
    for record, row, device in zip(listed["devices"], rows, known_devices().values(), strict=True):
        assert record["usable_bytes"] == int(row["usable_bytes"]) == device.usable_bytes
        assert record["source"]["title"] == row["source_title"] == device.source.title
        for precision, rate in record["peak_flops_per_second"].items():
            assert rate == device.peak.of(precision)
            assert row[f"peak_{precision}"] == ("" if rate is None else str(rate))


def test_a_part_of_names_filters(here: Cli) -> None:
    lines = here("devices", "instinct").stdout.splitlines()
    assert [line.split()[0] for line in lines[2:-2]] == ["mi250x-gcd", "mi250x", "mi300x"]


def test_an_unknown_device(here: Cli) -> None:
    done = here("devices", "h101")
    assert (done.stdout, done.code) == ("", 2)
    assert done.stderr == "error: unknown device `h101`\nhelp: did you mean `h100`? `netcalc devices` lists all\n"


def test_a_file_adds_devices_and_prices(here: Cli, golden, priced: Path) -> None:
    assert "2.5 USD an hour" in here("devices", "h100", "--devices", priced).stdout
    assert "~11.25 GiB" in here("devices", "mine", "--devices", priced).stdout
    header, _, *rows = here("devices", "--devices", priced).stdout.splitlines()
    assert header.endswith("price")
    assert {row.split()[-1] for row in rows if row.startswith(("mine ", "t4 "))} == {"–"}
    assert "price" not in here("devices").stdout.splitlines()[0]


def test_the_users_own_file_counts_and_the_named_one_is_stronger(
    here: Cli, priced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "netcalc" / "devices.yaml"
    own.parent.mkdir()
    own.write_text("devices: {h100: {extends: h100, price_per_hour: 9, currency: EUR}}\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert "9 EUR an hour" in here("devices", "h100").stdout
    assert "2.5 USD an hour" in here("devices", "h100", "--devices", priced).stdout


def test_where_the_users_own_file_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    for value, folder in (("/etc/xdg", "/etc/xdg"), ("", "/home/ada/.config"), ("relative", "/home/ada/.config")):
        monkeypatch.setenv("XDG_CONFIG_HOME", value)
        assert configuration_file() == Path(folder, "netcalc", "devices.yaml")


def test_a_mistake_in_a_file_is_shown_with_its_line(here: Cli, golden, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    done = here("devices", "--devices", "wrong.yaml", cwd=tmp_path)
    assert (done.stdout, done.code) == ("", 1)
    golden("devices_wrong.txt", done.stderr)


def test_a_file_that_is_not_there(here: Cli, tmp_path: Path) -> None:
    done = here("devices", "--devices", "absent.yaml", cwd=tmp_path)
    assert (done.stdout, done.stderr, done.code) == ("", "error: absent.yaml: no such file\n", 2)


@pytest.mark.parametrize(("columns", "left_out"), [(200, set()), (100, {"name"}), (80, {"name", "usable"})])
def test_the_table_fits_a_terminal(columns: int, left_out: set[str]) -> None:
    done = in_terminal(columns, "devices", env={"NO_COLOR": "1"})
    lines = done.stdout.splitlines()
    assert done.code == 0
    assert max(map(len, lines)) <= columns
    assert {"device", "name", "memory", "usable", "bandwidth"} - set(lines[0].split()) == left_out
    assert any(line.startswith("h100-sxm ") and line.endswith("989.4") for line in lines)


def test_figures_are_whole_on_any_terminal() -> None:
    assert "1,307.4" in in_terminal(20, "devices", env={"NO_COLOR": "1"}).stdout


def test_the_output_can_go_to_a_file(here: Cli, tmp_path: Path) -> None:
    done = here("devices", "-f", "csv", "-o", tmp_path / "devices.csv")
    assert (done.output, done.code) == ("", 0)
    assert (tmp_path / "devices.csv").read_text().startswith("key,name,")
