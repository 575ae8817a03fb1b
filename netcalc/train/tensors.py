"""Arrays as safetensors, bfloat16 among them, which the library's own reader for NumPy does not know."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import save

from netcalc.diagnostics import CannotRunError

Arrays = dict[str, NDArray[Any]]

_deserialize: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = safetensors.deserialize

_DTYPES: Mapping[str, Any] = {
    "BF16": jnp.bfloat16, "F16": np.float16, "F32": np.float32, "F64": np.float64, "BOOL": np.bool_,
    "I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64,
    "U8": np.uint8, "U16": np.uint16, "U32": np.uint32, "U64": np.uint64,
}  # fmt: skip
"""NumPy's types by the names of the format."""


def tensors_to_bytes(arrays: Arrays) -> bytes:
    """Return a safetensors file with the arrays."""
    # An array of the device may come with another order of its axes in memory; the format has but one.
    return bytes(save({name: np.array(array, order="C") for name, array in arrays.items()}))


def tensors_from_bytes(data: bytes, file: Path) -> Arrays:
    """Return the arrays of a safetensors file; raises CannotRunError, naming the file, for anything else."""
    try:
        found = _deserialize(data)
    except safetensors.SafetensorError as error:
        raise CannotRunError(f"{file}: not a safetensors file ({error})") from None
    arrays: Arrays = {}
    for name, entry in found:
        if entry["dtype"] not in _DTYPES:
            raise CannotRunError(f"{file}: `{name}` has the type {entry['dtype']}, which netcalc does not write")
        dtype = np.dtype(_DTYPES[entry["dtype"]])
        array = np.frombuffer(entry["data"], dtype, count=math.prod(entry["shape"]))
        arrays[name] = array.reshape(entry["shape"])
    return arrays
