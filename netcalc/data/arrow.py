"""Tables of samples on disk, mapped into memory so that any row can be read without reading the others.

Arrow files, as Hugging Face's datasets saves them, are mapped as they are. Parquet packs rows in groups that can
only be unpacked together, so that its rows are copied once, group by group, into an Arrow file in the user's cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from typing import Any

from netcalc.data.download import cache_folder
from netcalc.data.limited import shown
from netcalc.diagnostics import CannotRunError, did_you_mean

PARQUET, ARROW = ".parquet", ".arrow"
_ROWS = 256
"""Rows that are copied at a time."""


def mapped_table(files: Sequence[str], columns: Sequence[str]) -> Any:
    """Return a pyarrow.Table of the columns of all files, in memory maps.

    Raises CannotRunError, naming the file, for what is missing or damaged, and where pyarrow is not installed.
    """
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise CannotRunError(
            "Parquet and Arrow files need pyarrow", help="pip install 'netcalc-nn[parquet]'"
        ) from None
    tables = [_table(file, columns, pyarrow) for file in files]
    for file, table in zip(files[1:], tables[1:], strict=True):
        if table.schema.types != tables[0].schema.types:
            message = f"{shown(file)}: its columns are of other types than those of {shown(files[0])}"
            raise CannotRunError(message)
    return pyarrow.concat_tables(table.replace_schema_metadata(tables[0].schema.metadata) for table in tables)


def _table(file: str, columns: Sequence[str], pyarrow: Any) -> Any:
    name = shown(file)
    try:
        path = _unpacked(file, columns) if file.endswith(PARQUET) else file
        source = pyarrow.memory_map(path)
        try:
            table = pyarrow.ipc.open_stream(source).read_all()
        except pyarrow.ArrowInvalid:
            source.seek(0)
            table = pyarrow.ipc.open_file(source).read_all()
        _require(columns, table.column_names, name)
        table = table.select(columns)
        table.validate(full=True)  # offsets that lead astray would crash the process later
    except FileNotFoundError:
        raise CannotRunError(f"{name}: no such file") from None
    except (pyarrow.ArrowException, OSError, ValueError, EOFError) as error:
        raise CannotRunError(f"{name}: not a table that can be read ({error})") from None
    return table


def _require(columns: Sequence[str], known: Sequence[str], name: str) -> None:
    for column in columns:
        if list(known).count(column) != 1:
            raise CannotRunError(f"{name}: has no column `{column}`", help=did_you_mean(column, known))


def _unpacked(file: str, columns: Sequence[str]) -> str:
    """Return the Arrow copy of some columns of a Parquet file; a changed file gets a new copy for its old one."""
    import pyarrow
    from pyarrow import parquet

    facts = os.stat(file)
    which = _digest(os.path.realpath(file), *columns)
    folder = os.path.join(cache_folder(), "arrow")
    copy = os.path.join(folder, f"{which}-{_digest(facts.st_size, facts.st_mtime_ns)}{ARROW}")
    if os.path.exists(copy):
        return copy
    with parquet.ParquetFile(file) as source:
        _require(columns, source.schema_arrow.names, shown(file))
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(folder):
            if name.startswith(f"{which}-"):
                os.unlink(os.path.join(folder, name))
        handle, partial = tempfile.mkstemp(dir=folder, suffix=".part")
        try:
            schema = pyarrow.schema([source.schema_arrow.field(column) for column in columns])
            schema = schema.with_metadata(source.schema_arrow.metadata)
            with os.fdopen(handle, "wb") as stream, pyarrow.ipc.new_stream(stream, schema) as writer:
                for batch in source.iter_batches(_ROWS, columns=list(columns), use_threads=False):
                    writer.write_batch(batch.cast(schema) if batch.schema != schema else batch)
            os.replace(partial, copy)
        except BaseException:
            os.unlink(partial)
            raise
    return copy


def _digest(*facts: object) -> str:
    return hashlib.sha256(json.dumps([str(fact) for fact in facts]).encode("utf-8", "surrogateescape")).hexdigest()[
        :24
    ]
