"""Checkpoints: safetensors and JSON, no pickle, written so that a crash leaves the old one or the new one.

    checkpoints/step-00001250/   model.safetensors      what to evaluate and export: parameters and state
                                 training.safetensors   what to go on with: parameters and optimizer state
                                 checkpoint.json        step, epoch, metrics, size and SHA-256 of both files
    checkpoints/last -> step-00001250
    checkpoints/best -> step-00001125

A step directory is filled under another name, flushed to disk and renamed; then the pointers are swapped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from netcalc.choice import Fields
from netcalc.compiler.initialize import Params, State
from netcalc.diagnostics import CannotRunError
from netcalc.graph import Graph
from netcalc.train.step import TrainState
from netcalc.units import finite

FORMAT = "netcalc.checkpoint/1"
MODEL, TRAINING, META = "model.safetensors", "training.safetensors", "checkpoint.json"
POINTERS = ("last", "best")

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model as it was saved: parameters to evaluate, state, and when that was."""

    params: Params
    state: State
    step: int
    epoch: int


def save_checkpoint(
    directory: Path,
    params: Params,
    current: TrainState,
    epoch: int,
    metrics: dict[str, float],
    kernel_order: str = "HWIO",
) -> Path:
    """Write a checkpoint of `current` with the `params` to evaluate and return its directory.

    `kernel_order` is the axis order of the kernels in `current`.

    Raises CannotRunError, leaving earlier checkpoints as they are, where the disk does not take it.
    """
    step = int(current.step)
    final = directory / f"step-{step:08d}"
    partial = directory / f".{final.name}.partial"
    files = {
        MODEL: save(_by_name(params) | _by_name(current.state)),
        TRAINING: save(_leaves({"params": current.params, "optimizer": current.optimizer})),
    }
    meta = {
        "format": FORMAT,
        "step": step,
        "epoch": epoch,
        "kernel_order": kernel_order,  # of what to go on with; what to evaluate is HWIO always
        "metrics": {name: finite(value) for name, value in metrics.items()},
        "files": {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in files.items()},
    }
    files[META] = (json.dumps(meta, indent=2) + "\n").encode()
    try:
        with _told(final, "the checkpoint could not be written"):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            for name, data in files.items():
                _write_durably(partial / name, data)
            _sync(partial)
            if final.exists():
                shutil.rmtree(final)
            os.rename(partial, final)
            _sync(directory)
    except CannotRunError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return final


def point(directory: Path, name: str, target: Path) -> None:
    """Let `last` or `best` stand for a step directory, in one atomic swap.

    Raises CannotRunError, leaving the pointer as it was, where the disk does not take it.
    """
    fresh = directory / f".{name}.partial"
    with _told(directory / name, f"the pointer could not be set to {target.name}"):
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target.name, target_is_directory=True)
        os.replace(fresh, directory / name)
        _sync(directory)


def prune(directory: Path) -> None:
    """Remove the step directories that no pointer stands for, and what an interrupted save left.

    Raises CannotRunError where that fails.
    """
    with _told(directory, "old checkpoints could not be removed"):
        kept = {os.readlink(directory / name) for name in POINTERS if (directory / name).is_symlink()}
        for path in directory.iterdir():
            is_checkpoint = path.name.startswith("step-") and path.name not in kept
            if path.is_dir() and not path.is_symlink() and (is_checkpoint or path.name.endswith(".partial")):
                shutil.rmtree(path)


def load_checkpoint(path: Path, graph: Graph) -> Checkpoint:
    """Return the model of a checkpoint directory.

    Raises CannotRunError, naming the file, for what is missing, truncated, altered or of another network.
    """
    meta = _read_meta(path / META)
    data = _read_verified(path / MODEL, meta.files.model)
    try:
        arrays = load(data)
    except SafetensorError as error:
        raise CannotRunError(f"{path / MODEL}: not a safetensors file ({error})") from None
    params: Params = {}
    state: State = {}
    for node in graph.nodes.values():
        owned = node.known.params if node.owner == node.name else {}
        for group, specs in ((params, owned), (state, node.known.state)):
            for name, spec in specs.items():
                array = arrays.pop(f"{node.name}/{name}", None)
                expected = f"shape {spec.shape} and dtype {spec.dtype}"
                found = "nothing" if array is None else f"shape {array.shape} and dtype {array.dtype.name}"
                if array is None or found != expected:
                    message = f"`{node.name}/{name}` should have {expected}, found {found}"
                    raise CannotRunError(f"{path / MODEL}: {message}")
                group.setdefault(node.name, {})[name] = jax.numpy.asarray(array)
    if arrays:
        raise CannotRunError(f"{path / MODEL}: `{min(arrays)}` belongs to no node of the network")
    return Checkpoint(params, state, meta.step, meta.epoch)


class _File(Fields):
    """What checkpoint.json records of a file beside it."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: str


class _Files(Fields):
    """The files of a checkpoint, by their names."""

    model: _File = Field(alias="model.safetensors")
    training: _File = Field(alias="training.safetensors")


class _Meta(Fields):
    """What checkpoint.json holds; a metric is null after a training that diverged."""

    format: Literal["netcalc.checkpoint/1"]
    step: Annotated[int, Field(ge=0)]
    epoch: Annotated[int, Field(ge=0)]
    metrics: dict[str, Any]
    kernel_order: Literal["HWIO", "OHWI"] = "HWIO"
    files: _Files


def _read_meta(path: Path) -> _Meta:
    try:
        return _Meta.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise CannotRunError(f"{path.parent}: no checkpoint here") from None
    except OSError as error:
        raise CannotRunError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        what = f"`{place}`: {problem['msg']}" if place else problem["msg"]
        raise CannotRunError(f"{path}: not a checkpoint of this version of netcalc ({what})") from None


def _read_verified(path: Path, expected: _File) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CannotRunError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(data) != expected.bytes or _sha256(data) != expected.sha256:
        raise CannotRunError(
            f"{path}: damaged, its checksum is not the one recorded when it was written "
            f"({len(data):,} bytes, {expected.bytes:,} recorded)",
            help="use another checkpoint of the run with --checkpoint",
        )
    return data


@contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    """Turn what a disk refuses into a CannotRunError."""
    try:
        yield
    except OSError as error:
        message = f"{path}: {what} ({error.strerror or error})"
        raise CannotRunError(message, help="earlier checkpoints are as they were") from None


def _by_name(tree: dict[str, dict[str, jax.Array]]) -> Arrays:
    return {f"{node}/{name}": np.asarray(a) for node, group in tree.items() for name, a in group.items()}


def _leaves(tree: object) -> Arrays:
    paths = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in paths}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write_durably(path: Path, data: bytes) -> None:
    with open(path, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
