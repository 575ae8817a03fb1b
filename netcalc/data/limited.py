"""Files of which no more is read than is expected: gzip that unpacks without end meets a limit."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from netcalc.diagnostics import CannotRunError

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK_BYTES = 2**20


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """Open a file for reading, unpacked if it is gzip by its first bytes.

    Raises CannotRunError, naming the file, for what cannot be opened, and for damage met while it is read.
    """
    try:
        with open(path, "rb") as raw:
            packed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if packed:
                with gzip.open(raw) as stream:
                    yield cast(IO[bytes], stream)
            else:
                yield raw
    except FileNotFoundError:
        raise CannotRunError(f"{shown(path)}: no such file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CannotRunError(f"{shown(path)}: damaged gzip ({error})") from None
    except OSError as error:
        raise CannotRunError(f"{shown(path)}: cannot be read ({error.strerror or error})") from None


def read_exactly(stream: IO[bytes], size: int, path: str) -> bytearray:
    """Return `size` bytes; memory grows with what is there, not with what a header claims.

    Raises CannotRunError if the file ends before.
    """
    found = bytearray()
    while len(found) < size:
        chunk = stream.read(min(_CHUNK_BYTES, size - len(found)))
        if not chunk:
            raise CannotRunError(f"{shown(path)}: ends after {len(found):,} of {size:,} bytes of data")
        found += chunk
    return found


def shown(path: str) -> str:
    """Return a path as messages show it: what is no UTF-8 or not printable becomes a replacement character."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in path)
