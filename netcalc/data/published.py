"""MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100 as they were published, from the cache or a folder.

Addresses, lengths and SHA-256 are those of tensorflow-datasets 4.9.10 (url_checksums/*.txt, Apache License 2.0).
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping, Sequence

from netcalc.data.catalog import PUBLISHED
from netcalc.data.cifar import cifar_samples
from netcalc.data.download import RemoteFile, fetch
from netcalc.data.idx import read_idx_pair
from netcalc.data.limited import opened, shown
from netcalc.data.samples import Collection, Split, class_labels
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import DownloadedData

_MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_CIFAR = "https://www.cs.toronto.edu/~kriz/"

FILES: dict[str, tuple[RemoteFile, ...]] = {
    "mnist": (
        RemoteFile(
            "train-images-idx3-ubyte.gz", _MNIST, 9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz", _MNIST, 28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz", _MNIST, 1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz", _MNIST, 4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "fashion_mnist": (
        RemoteFile(
            "train-images-idx3-ubyte.gz", _FASHION, 26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz", _FASHION, 29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz", _FASHION, 4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz", _FASHION, 5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    "cifar10": (
        RemoteFile(
            "cifar-10-binary.tar.gz", _CIFAR, 170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
    "cifar100": (
        RemoteFile(
            "cifar-100-binary.tar.gz", _CIFAR, 168_513_733,
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        ),
    ),
}  # fmt: skip
"""What is downloaded for each data set."""

_TRAIN_FILES = {
    "cifar10": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "cifar100": ("train.bin",),
}
_TEST_FILES = {"cifar10": ("test_batch.bin",), "cifar100": ("test.bin",)}
_UNPACKED = {"cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary"}
_MOST_BYTES = 256 * 2**20
"""Of one member of CIFAR's archives; the largest has 154 MB."""


def read_published(spec: DownloadedData) -> Collection:
    """Return a published data set, of a folder if the spec names one.

    Raises CannotRunError for what cannot be downloaded, is missing or damaged.
    """
    known = PUBLISHED[spec.source]
    read = _cifar if spec.source in _UNPACKED else _mnist
    train, test = read(spec)
    for split, what in ((train, "training"), (test, "test")):
        if split.images.shape[1:] != known.shape or int(class_labels(split).max()) >= len(known.classes):
            raise CannotRunError(f"the {what} files found for `{spec.source}` are of another data set")
    return Collection(train, known.classes, test=test, max_value=known.max_value)


def _mnist(spec: DownloadedData) -> tuple[Split, Split]:
    files = [_file(spec, file) for file in FILES[spec.source]]
    return read_idx_pair(files[0], files[1]), read_idx_pair(files[2], files[3])


def _file(spec: DownloadedData, file: RemoteFile) -> str:
    """Return where a file is: in the cache, or packed or plain in the folder that the spec names."""
    if spec.path is None:
        return str(fetch(spec.source, file))
    packed = os.path.join(spec.path, file.name)
    plain = packed.removesuffix(".gz")
    return plain if os.path.exists(plain) else packed


def _cifar(spec: DownloadedData) -> tuple[Split, Split]:
    train, test = _TRAIN_FILES[spec.source], _TEST_FILES[spec.source]
    files = _cifar_files(spec, (*train, *test))
    classes, label_bytes = len(PUBLISHED[spec.source].classes), 1 if spec.source == "cifar10" else 2
    parts = [cifar_samples({name: files[name] for name in names}, classes, label_bytes) for names in (train, test)]
    return parts[0], parts[1]


def _cifar_files(spec: DownloadedData, names: Sequence[str]) -> Mapping[str, bytes]:
    (archive,) = FILES[spec.source]
    if spec.path is not None:
        for folder in (spec.path, os.path.join(spec.path, _UNPACKED[spec.source])):
            if os.path.exists(os.path.join(folder, names[0])):
                return {name: _contents(os.path.join(folder, name)) for name in names}
    return _members(_file(spec, archive), names)


def _contents(path: str) -> bytes:
    with opened(path) as stream:
        return stream.read(_MOST_BYTES)


def _members(path: str, names: Sequence[str]) -> Mapping[str, bytes]:
    """Return members of an archive by their last names; nothing is written to disk."""
    found: dict[str, bytes] = {}
    try:
        with opened(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                name = os.path.basename(member.name)
                if name in names and member.isfile() and (data := archive.extractfile(member)) is not None:
                    found[name] = data.read(_MOST_BYTES)
                if len(found) == len(names):
                    break
    except tarfile.TarError as error:
        raise CannotRunError(f"{shown(path)}: not an archive that can be read ({error})") from None
    if missing := [name for name in names if name not in found]:
        raise CannotRunError(f"{shown(path)}: holds no {missing[0]}")
    return {name: found[name] for name in names}
