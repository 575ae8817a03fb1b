"""Published files, fetched once into the user's cache, verified, and taken up again where a download broke off."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netcalc.diagnostics import CannotRunError
from netcalc.units import format_bytes

MIRROR_VARIABLE = "NETCALC_DATA_URL"
"""Environment variable: the address of a mirror that holds the files under `DATA SET/FILE`."""

_CHUNK_BYTES = 2**16
"""What is lost at most where a download breaks off."""

_PATIENCE_SECONDS = (10, 60)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A published file: its name, the address of its folder, its length and its SHA-256."""

    name: str
    folder: str
    size_bytes: int
    sha256: str


def cache_folder() -> Path:
    """Return the folder of what netcalc keeps of data sets: `netcalc/data` in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "netcalc" / "data"


def fetch(dataset: str, file: RemoteFile) -> Path:
    """Return the file in the cache, downloaded if it is not there or is damaged.

    Raises CannotRunError where it cannot be had, or is not the one that was published.
    """
    try:
        import pooch
        from requests.exceptions import RequestException
    except ModuleNotFoundError as error:
        raise CannotRunError(
            f"`{dataset}` is downloaded with pooch, which is not installed ({error.name})"
        ) from None

    mirror = os.environ.get(MIRROR_VARIABLE)
    url = f"{mirror.rstrip('/')}/{dataset}/{file.name}" if mirror else f"{file.folder}{file.name}"
    folder = cache_folder() / dataset
    other_ways = f"put its files into a folder and name that as `path`, or set {MIRROR_VARIABLE} to a mirror"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(
            pooch.retrieve(
                url,
                known_hash=f"sha256:{file.sha256}",
                fname=file.name,
                path=folder,
                downloader=_Resumed(folder / f"{file.name}.part", file.size_bytes),
            )
        )
    except RequestException as error:
        raise CannotRunError(f"{url}: cannot be downloaded ({error})", help=other_ways) from None
    except ValueError as error:  # pooch found another checksum
        raise CannotRunError(f"{url}: not the published file ({error})", help=other_ways) from None
    except OSError as error:
        raise CannotRunError(f"{folder}: cannot be written ({error.strerror or error})") from None


@dataclass(frozen=True, slots=True)
class _Resumed:
    """What pooch downloads with: keeps what has arrived in a file of its own, and asks for the rest."""

    part: Path
    size_bytes: int

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        with open(self.part, "ab") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CannotRunError(f"{self.part}: another download of this file is under way") from None
            if stream.tell() > self.size_bytes:
                stream.truncate(0)
            if stream.tell() < self.size_bytes:
                self._receive(url, stream)
            stream.flush()
            os.fsync(stream.fileno())
            os.replace(self.part, output_file)

    def _receive(self, url: str, stream: Any) -> None:
        import requests

        # A packed file as it is: a server may offer to unpack it on the way.
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={stream.tell()}-"}
        with requests.get(url, headers=headers, stream=True, timeout=_PATIENCE_SECONDS) as response:
            response.raise_for_status()
            if response.status_code != requests.codes.partial_content:  # the server begins anew
                stream.truncate(0)
            for chunk in response.iter_content(_CHUNK_BYTES):
                stream.write(chunk)
                if stream.tell() > self.size_bytes:
                    stream.truncate(0)
                    what = f"longer than the {format_bytes(self.size_bytes)} that were published"
                    raise ValueError(what)
        if stream.tell() < self.size_bytes:
            raise requests.exceptions.ConnectionError(
                f"broke off after {stream.tell():,} of {self.size_bytes:,} bytes; run again to go on from there"
            )
