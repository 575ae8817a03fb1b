"""Downloads from a server of the test's own: verified, kept, and taken up again where they broke off."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netcalc.data import download, published
from netcalc.data.download import RemoteFile
from netcalc.data.sources import load_dataset
from netcalc.diagnostics import CannotRunError
from netcalc.spec.data import DownloadedData
from tests.data.files import idx, labels_of, pixels

pytest.importorskip("pooch")

IMAGES, LABELS = pixels(20, 28, 28), labels_of(20, 10)
CONTENTS = {
    file.name: gzip.compress(idx(IMAGES if "images" in file.name else LABELS), mtime=0)
    for file in published.FILES["mnist"]
}
SMALL = tuple(
    RemoteFile(name, "http://localhost:1/", len(content), hashlib.sha256(content).hexdigest())
    for name, content in CONTENTS.items()
)
LARGE = SMALL[0].name


class Server(ThreadingHTTPServer):
    """Serves `/mnist/FILE`; can break off, ignore ranges, and alter what it sends. Notes what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.contents = dict(CONTENTS)
        self.asked: list[tuple[str, str | None]] = []
        self.break_after: int | None = None
        self.knows_ranges = True


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name, asked = self.path.removeprefix("/mnist/"), self.headers.get("Range")
        self.server.asked.append((name, asked))
        content = self.server.contents.get(name)
        if content is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.knows_ranges else 0
        self.send_response(206 if asked and self.server.knows_ranges else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: self.server.break_after])

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(published.FILES, "mnist", SMALL)
    with Server() as running:
        monkeypatch.setenv(download.MIRROR_VARIABLE, f"http://127.0.0.1:{running.server_port}/")
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def load() -> Any:
    return load_dataset(DownloadedData(source="mnist"))


def refused() -> CannotRunError:
    with pytest.raises(CannotRunError) as caught:
        load()
    return caught.value


def kept(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "cache/netcalc/data/mnist").iterdir()}


def test_a_data_set_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    found = load()
    assert np.array_equal(found.train.images[..., 0], IMAGES)
    assert [name for name, _ in server.asked] == list(CONTENTS)
    assert kept(tmp_path) == set(CONTENTS)
    load()
    assert len(server.asked) == len(CONTENTS)


def test_a_download_goes_on_where_it_broke_off(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_CHUNK_BYTES", 250)
    server.break_after = 1000
    error = refused()
    assert kept(tmp_path) == {f"{LARGE}.part"}
    assert "cannot be downloaded" in str(error)
    assert "`path`" in error.help
    server.break_after = None
    assert np.array_equal(load().train.images[..., 0], IMAGES)
    assert [asked for name, asked in server.asked if name == LARGE] == ["bytes=0-", "bytes=1000-"]
    assert kept(tmp_path) == set(CONTENTS)


def test_a_server_that_knows_no_ranges_begins_anew(server: Server) -> None:
    server.break_after = 1000
    refused()
    server.break_after, server.knows_ranges = None, False
    assert np.array_equal(load().train.images[..., 0], IMAGES)


def test_another_file_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    altered = bytearray(CONTENTS[LARGE])
    altered[500] ^= 1
    server.contents[LARGE] = bytes(altered)
    assert "not the published file" in str(refused())
    assert kept(tmp_path) == set()
    server.contents[LARGE] = CONTENTS[LARGE]
    load()


def test_a_longer_file_is_refused_before_it_fills_the_disk(server: Server, tmp_path: Path) -> None:
    server.contents[LARGE] = CONTENTS[LARGE] + bytes(2**24)
    error = str(refused())
    assert "longer than the" in error
    assert sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.part")) == 0


def test_a_file_that_was_damaged_in_the_cache_is_fetched_again(server: Server, tmp_path: Path) -> None:
    load()
    file = tmp_path / "cache/netcalc/data/mnist" / LARGE
    file.write_bytes(b"-")
    assert np.array_equal(load().train.images[..., 0], IMAGES)
    assert file.read_bytes() == CONTENTS[LARGE]


def test_what_the_server_does_not_have(server: Server) -> None:
    del server.contents[LARGE]
    assert "404" in str(refused())


def test_no_server_at_all(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(download.MIRROR_VARIABLE)
    error = refused()
    assert str(error).startswith(f"http://localhost:1/{LARGE}: cannot be downloaded")
    assert download.MIRROR_VARIABLE in error.help


def test_two_downloads_at_once_do_not_mix(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "cache/netcalc/data/mnist"
    folder.mkdir(parents=True)
    with open(folder / f"{LARGE}.part", "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "another download of this file is under way" in str(refused())


def test_every_published_file_has_a_checksum_and_a_length() -> None:
    assert published.FILES.keys() == published.PUBLISHED.keys()
    for files in published.FILES.values():
        for file in files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.size_bytes > 4000
            assert file.folder.startswith("http")
    assert len({file.sha256 for files in published.FILES.values() for file in files}) == 10
