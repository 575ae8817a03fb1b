"""The device database: its figures against each other and against published ones, names, and files of users."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from netcalc.analysis import device_files
from netcalc.analysis.device_files import DeviceFields, known_devices, load_devices, read_devices
from netcalc.analysis.devices import PRECISIONS, Device, find_device, matching_devices
from netcalc.diagnostics import CannotRunError, SpecError

DEVICES = known_devices()
EVERY = pytest.mark.parametrize("device", DEVICES.values(), ids=lambda device: device.key)
NVIDIA_SINCE_AMPERE = [
    device for device in DEVICES.values() if device.peak.tensorfloat32 and "AMD" not in device.name
]


def read(text: str, known: dict[str, Device] | None = None) -> dict[str, Device]:
    return dict(read_devices(text, "mine.yaml", DEVICES if known is None else known))


def findings(text: str) -> list[tuple[str, str, str]]:
    with pytest.raises(SpecError) as error:
        read(text)
    return [(d.code, str(d.span), d.message) for d in error.value.diagnostics]


def test_the_families_that_networks_train_on_are_there() -> None:
    assert len(DEVICES) >= 30
    wanted = (
        "p100 v100 t4 2080ti 3060 3070 3080 3090 4060ti 4070 4080 4090 5070 5080 5090 a10 l4 l40s a6000 6000-ada"
    )
    wanted += " a100 a100-40gb a100-80gb-pcie h100 h100-pcie h100-nvl h200 b200 mi250x mi300x cpu"
    wanted += " v2 v3 v4 v5e v5p v6e tpu7x"
    for name in wanted.split():
        find_device(name, DEVICES)


@pytest.mark.parametrize(
    ("name", "memory_gib", "usable_bytes", "gigabytes_per_second", "tera"),
    [
        # Target configurations of XLA state the memory of these two to the byte.
        ("h100", 80, 84_942_979_072, 3352, (66.9, None, 494.7, 989.4, 989.4)),
        ("a100", 80, 85_198_045_184, 2039, (19.5, None, 156, 312, 312)),
        # Half of the datasheet's figures with sparsity: 835, 1,671; 989, 1,979; 366, 733 and 242.
        ("h100-nvl", 94, None, 3900, (60, None, 417.5, 835.5, 835.5)),
        ("h200", 141, None, 4800, (67, None, 494.5, 989.5, 989.5)),
        ("l4", 24, None, 300, (30.3, None, 60, 121, 121)),
        # No bfloat16, no TF32.
        ("t4", 16, None, 320, (8.1, None, None, None, 65)),
        ("v100", 16, None, 900, (15.7, None, None, None, 125)),
        # GeForce: with float32 accumulation, half of the headline 142 and 330.3.
        ("3090", 24, None, 936, (35.6, None, 35.6, 71, 71)),
        ("4090", 24, None, 1008, (82.6, None, 82.6, 165.2, 165.2)),
        ("mi300x", 192, 201_310_208 * 1024, 5300, (163.4, 163.4, 653.7, 1307.4, 1307.4)),
        # The runtime keeps 530 MiB of a core's memory.
        ("v3", 16, (16 * 1024 - 530) * 2**20, 450, (None, None, None, 61.5, None)),
        ("v5e", 16, None, 819, (None, None, None, 197, None)),
    ],
)
def test_published_figures(
    name: str, memory_gib: int, usable_bytes: int | None, gigabytes_per_second: int, tera: tuple[float | None, ...]
) -> None:
    device = find_device(name, DEVICES)
    assert device.memory_bytes == memory_gib * 2**30
    assert usable_bytes in (None, device.usable_bytes)
    assert device.bandwidth_bytes_per_second == gigabytes_per_second * 10**9
    rates = tuple(None if rate is None else round(rate * 1e12) for rate in tera)
    assert tuple(device.peak.of(precision) for precision in PRECISIONS) == rates


@EVERY
def test_figures_agree_with_each_other(device: Device) -> None:
    assert 0.9 * device.memory_bytes < device.usable_bytes <= device.memory_bytes
    assert device.usable_is_estimate == (device.usable_bytes == device.memory_bytes * 15 // 16)
    assert device.price_per_hour is device.currency is None, "our own file has no prices"
    rates = [device.peak.of(precision) for precision in PRECISIONS]
    assert any(rates)
    # Halving the bits never makes the matrix units slower, and the vector units are the slowest.
    known = [rate for rate in rates if rate is not None]
    assert known == sorted(known)
    assert device.peak.of(device.float32_products) is not None
    assert device.source.title
    assert (device.source.address or "https://").startswith("https://")


@EVERY
def test_float32_products_are_what_jax_makes_of_them_by_default(device: Device) -> None:
    if device in NVIDIA_SINCE_AMPERE:
        assert device.float32_products == "tensorfloat32"
    elif device.kind == "tpu":
        assert device.float32_products == "bfloat16"
    else:
        assert device.float32_products in ("float32", "float32_matrix")


def test_what_lacks_tf32_lacks_bfloat16_among_nvidias() -> None:
    older = [device for device in DEVICES.values() if "NVIDIA" in device.name and device not in NVIDIA_SINCE_AMPERE]
    assert {device.key for device in older} == {
        "p100", "p100-sxm2", "v100-16gb", "v100-32gb", "t4", "rtx-2080-ti",
    }  # fmt: skip
    assert {device.peak.bfloat16 for device in older} == {None}


def test_one_core_of_a_chip_is_half_of_it() -> None:
    half, whole = find_device("mi250x-gcd", DEVICES), find_device("mi250x", DEVICES)
    assert 2 * half.memory_bytes == whole.memory_bytes
    assert 2 * half.bandwidth_bytes_per_second == whole.bandwidth_bytes_per_second
    assert [2 * (half.peak.of(p) or 0) for p in PRECISIONS] == [whole.peak.of(p) or 0 for p in PRECISIONS]


def test_a_kernel_takes_time_on_gpus_alone() -> None:
    assert {(device.kind, device.launch_seconds) for device in DEVICES.values()} == {
        ("gpu", 1e-6), ("tpu", None), ("cpu", None),
    }  # fmt: skip


def test_no_name_means_two_devices() -> None:
    names = [name for device in DEVICES.values() for name in (device.key, *device.aliases)]
    plain = [name.casefold().replace("-", "") for name in names]
    assert len(set(plain)) == len(plain)


@pytest.mark.parametrize("name", ["h100", "H100", "h100-sxm", "H100_SXM", "h100 sxm", "h100sxm"])
def test_case_and_separators_of_a_name_do_not_matter(name: str) -> None:
    assert find_device(name, DEVICES).key == "h100-sxm"


@pytest.mark.parametrize(("name", "help"), [("h10", "`h100`"), ("rtx-4099", "`rtx-4090`"), ("abacus", "lists all")])
def test_an_unknown_device_is_answered_with_the_nearest(name: str, help: str) -> None:
    with pytest.raises(CannotRunError, match=f"unknown device `{name}`") as error:
        find_device(name, DEVICES)
    assert help in error.value.help


def test_part_of_a_name_matches_several() -> None:
    assert [d.key for d in matching_devices("h100", DEVICES)] == ["h100-sxm"]
    assert [d.key for d in matching_devices("H100-", DEVICES)] == ["h100-sxm"]
    assert [d.key for d in matching_devices("ironwood", DEVICES)] == ["tpu7x"]
    assert [d.key for d in matching_devices("4060 Ti", DEVICES)] == ["rtx-4060-ti-8gb"]
    assert {d.key for d in matching_devices("A100", dict(DEVICES) | {"a100-mine": DEVICES["t4"]})} == {"a100-80gb"}
    assert len(matching_devices("geforce", DEVICES)) >= 10
    with pytest.raises(CannotRunError):
        matching_devices("abacus", DEVICES)


def test_a_price_is_one_line_over_a_known_device() -> None:
    found = read("devices: {h100: {extends: h100, price_per_hour: 2, currency: USD}}")
    ours, mine = DEVICES["h100-sxm"], find_device("h100", found)
    assert (mine.key, mine.price_per_hour, mine.currency) == ("h100", 2, "USD")
    assert (mine.peak, mine.usable_bytes, mine.name) == (ours.peak, ours.usable_bytes, ours.name)
    assert find_device("h100-sxm", found) == ours


def test_an_entry_changes_only_what_it_names() -> None:
    found = read("devices: {mine: {extends: v100, bandwidth: 1134GB, peak: {float16: 130T, bfloat16: null}}}")
    ours, mine = DEVICES["v100-16gb"], found["mine"]
    assert mine.bandwidth_bytes_per_second == 1_134 * 10**9
    assert (mine.peak.float32, mine.peak.float16) == (ours.peak.float32, 130 * 10**12)
    assert (mine.usable_bytes, mine.usable_is_estimate) == (ours.usable_bytes, False)
    assert mine.aliases == ()


def test_other_memory_takes_its_own_usable_share() -> None:
    found = read("devices: {mine: {extends: v100, memory: 32GiB}, own: {extends: mine, usable: 31GiB}}")
    assert (found["mine"].usable_bytes, found["mine"].usable_is_estimate) == (30 * 2**30, True)
    assert (found["own"].usable_bytes, found["own"].usable_is_estimate) == (31 * 2**30, False)


def test_a_device_of_its_own_needs_little() -> None:
    mine = read("devices:\n  mine: {kind: gpu, memory: 12GB, bandwidth: 300GB}\n")["mine"]
    assert (mine.name, mine.memory_bytes, mine.source.title) == ("mine", 12 * 10**9, "mine.yaml")
    assert [mine.peak.of(precision) for precision in PRECISIONS] == [None] * 5


def test_the_order_of_entries_does_not_matter_and_files_build_on_each_other(tmp_path: Path) -> None:
    found = read("devices: {b: {extends: a, currency: EUR}, a: {extends: t4, price_per_hour: 1, currency: USD}}")
    assert (found["b"].price_per_hour, found["b"].currency) == (1, "EUR")
    for name, text in (
        ("one", "{t4: {extends: t4, price_per_hour: 1, currency: USD}}"),
        ("two", "{x: {extends: t4}}"),
    ):
        (tmp_path / f"{name}.yaml").write_text(f"devices: {text}\n")
    assert load_devices([tmp_path / "one.yaml", tmp_path / "two.yaml"])["x"].price_per_hour == 1
    assert DEVICES["t4"].price_per_hour is None


@pytest.mark.parametrize(
    ("text", "code", "place", "message"),
    [
        ("devices: {a: {extends: h1000}}", "NC011", "1:24", "unknown device `h1000`"),
        ("devices: {a: {extends: t4, memroy: 1GB}}", "NC010", "1:28", "unknown field `memroy` of `a`"),
        ("devices: {a: {extends: t4, memory: 80G}}", "NC011", "1:36", "`memory` should be a size"),
        ("devices: {a: {extends: t4, memory: 0}}", "NC011", "1:36", "greater than 0"),
        ("devices: {a: {extends: t4, bandwidth: -1GB}}", "NC011", "1:39", "`bandwidth` should be a size"),
        ("devices: {a: {extends: t4, peak: {float32: fast}}}", "NC011", "1:44", "`float32` should be a count"),
        ("devices: {a: {extends: t4, peak: {float8: 1T}}}", "NC010", "1:35", "unknown field `float8`"),
        ("devices: {a: {extends: t4, kind: fpga}}", "NC011", "1:34", "`kind`"),
        ("devices: {a: {extends: t4, usable: 17GiB}}", "NC011", "1:36", "`usable` (18,253,611,008) is more"),
        ("devices: {a: {extends: t4, float32_products: bfloat16}}", "NC011", "1:46", "`peak` has no rate"),
        ("devices: {a: {extends: t4, price_per_hour: 2}}", "NC012", "1:44", "`price_per_hour` needs `currency`"),
        ("devices: {a: {extends: t4, currency: USD}}", "NC012", "1:38", "`currency` needs `price_per_hour`"),
        ("devices: {a: {extends: t4, price_per_hour: -2, currency: USD}}", "NC011", "1:44", "greater than 0"),
        ("devices: {a: {extends: t4, price_per_hour: .inf, currency: USD}}", "NC011", "1:44", "finite"),
        ("devices: {a: {kind: gpu, memory: 1GB}}", "NC012", "1:11", "`a` needs `bandwidth`"),
        ("devices: {a: 3}", "NC011", "1:14", "by name"),
        ("devices: [a]", "NC012", "1:1", "a file of devices needs `devices:`"),
        ("device: {a: {extends: t4}}", "NC010", "1:1", "unknown section `device`"),
        ("", "NC012", "1:1", "a file of devices needs `devices:`"),
        ("devices: {a: {extends: t4}}}", "NC002", "1:28", "not valid YAML"),
        ("devices: {a: {extends: b}, b: {extends: a}}", "NC018", "1:41", "extend each other in a circle"),
        ("devices: {a: {extends: a}}", "NC011", "1:24", "unknown device `a`"),
    ],
)
def test_a_mistake_is_answered_with_its_place(text: str, code: str, place: str, message: str) -> None:
    found = findings(text)[0]
    assert found[:2] == (code, f"mine.yaml:{place}")
    assert message in found[2]


def test_every_mistake_is_told_at_once() -> None:
    assert len(findings("devices: {a: {extends: x}, b: {memory: x, kind: y}, c: {}}")) == 1 + 2 + 3


def test_a_long_chain_of_devices_is_no_crash() -> None:
    chain = ", ".join(f"d{i}: {{extends: d{i + 1}}}" for i in range(3000))
    with pytest.raises(SpecError, match="more than 16 devices extend each other"):
        read(f"devices: {{{chain}, d3000: {{extends: t4}}}}")


@pytest.mark.parametrize("step", [1, -1])
def test_sixteen_devices_may_stand_behind_one(step: int) -> None:
    def chain(length: int) -> str:
        entries = [f"d{i}: {{extends: d{i + 1}}}" for i in range(length)] + [f"d{length}: {{extends: t4}}"]
        return f"devices: {{{', '.join(entries[::step])}}}"

    assert read(chain(16))["d0"].peak == DEVICES["t4"].peak
    with pytest.raises(SpecError, match="more than 16 devices extend each other"):
        read(chain(17))


def test_every_field_is_described() -> None:
    for model in (DeviceFields, device_files.PeakFields, device_files.SourceFields):
        assert all(field.description for field in model.model_fields.values())


def test_our_own_file_is_plain_yaml() -> None:
    text = Path(device_files.__file__).with_name("devices.yaml").read_text(encoding="utf-8")
    assert list(yaml.safe_load(text)["devices"]) == list(DEVICES)
