"""Checkpoints: safetensors and JSON, no pickle, written so that a crash leaves the old one or the new one.

    checkpoints/step-00001250/   model.safetensors      what to evaluate and export: parameters and state
                                 training.safetensors   what to go on with: all that an update changes
                                 checkpoint.json        where the training stood, size and SHA-256 of both files
    checkpoints/last -> step-00001250
    checkpoints/best -> step-00001125

A step directory is filled under another name, flushed to disk and renamed; then the pointers are swapped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import numpy as np
from pydantic import Field, ValidationError

from netcalc.choice import LIST_AS_TUPLE, Fields
from netcalc.compiler.initialize import Params, State
from netcalc.diagnostics import CannotRunError
from netcalc.graph import Graph
from netcalc.train.durable import PARTIAL, replace_link, told, write_directory
from netcalc.train.metrics import Sums
from netcalc.train.step import TrainState
from netcalc.train.tensors import Arrays, tensors_from_bytes, tensors_to_bytes
from netcalc.units import finite

FORMAT = "netcalc.checkpoint/2"
MODEL, TRAINING, META = "model.safetensors", "training.safetensors", "checkpoint.json"
POINTERS = ("last", "best")

_AS_THEY_WERE = "earlier checkpoints are as they were"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model as it was saved: parameters to evaluate, state, and when that was."""

    params: Params
    state: State
    step: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands, beside its arrays: what only the host knows.

    `epoch` is the one under way, of which `epoch_updates` are made, or where that is 0 the last that is over.
    Seconds are of all sessions, `records` what the file of metrics held. `left_out` are the numbers of the updates,
    from 1, that changed nothing as they were not finite.
    """

    epoch: int = 0
    epoch_updates: int = 0
    epoch_images: int = 0
    epoch_seconds: float = 0.0
    records: int = 0
    seconds: float = 0.0
    left_out: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SavedTraining:
    """All that a training goes on with, as it was saved: the arrays by the paths of their leaves."""

    arrays: Arrays
    kernel_order: Literal["HWIO", "OHWI"]
    step: int
    progress: Progress


def save_checkpoint(
    directory: Path,
    params: Params,
    current: TrainState,
    sums: Sums,
    progress: Progress,
    metrics: dict[str, float],
    kernel_order: str = "HWIO",
) -> Path:
    """Write a checkpoint of `current` with the `params` to evaluate and return its directory.

    `sums` are the metrics of the epoch so far; `kernel_order` is the axis order of the kernels in `current`.

    Raises CannotRunError, leaving earlier checkpoints as they are, where the disk does not take it.
    """
    step = int(current.step)
    final = step_directory(directory, step)
    files = {
        MODEL: tensors_to_bytes(_by_name(params) | _by_name(current.state)),
        TRAINING: tensors_to_bytes(leaves_by_path((current, sums))),
    }
    meta = {
        "format": FORMAT,
        "step": step,
        "epoch": progress.epoch,
        "kernel_order": kernel_order,  # of what to go on with; what to evaluate is HWIO always
        "metrics": {name: finite(value) for name, value in metrics.items()},
        "progress": asdict(progress),
        "files": {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in files.items()},
    }
    files[META] = (json.dumps(meta, indent=2) + "\n").encode()
    with told(final, "the checkpoint could not be written", _AS_THEY_WERE):
        write_directory(final, files)
    return final


def step_directory(directory: Path, step: int) -> Path:
    """Return where the checkpoint after so many updates is, or would be."""
    return directory / f"step-{step:08d}"


def saved_steps(directory: Path) -> list[int]:
    """Return after how many updates there are checkpoints, in rising order."""
    names = [path.name.removeprefix("step-") for path in directory.glob("step-*") if path.is_dir()]
    return sorted(int(name) for name in names if name.isdecimal())


def point(directory: Path, name: str, target: Path) -> None:
    """Let `last` or `best` stand for a step directory, in one atomic swap.

    Raises CannotRunError, leaving the pointer as it was, where the disk does not take it.
    """
    with told(directory / name, f"the pointer could not be set to {target.name}", _AS_THEY_WERE):
        replace_link(directory / name, target.name)


def unpoint(directory: Path, name: str) -> None:
    """Let `last` or `best` stand for nothing; raises CannotRunError."""
    with told(directory / name, "the pointer could not be removed", _AS_THEY_WERE):
        (directory / name).unlink(missing_ok=True)


def prune(directory: Path, step: int, keep: int = 1) -> None:
    """Remove what an interrupted save left, and step directories but the `keep` last ones up to `step`.

    What a pointer stands for stays. Raises CannotRunError where that fails.
    """
    with told(directory, "old checkpoints could not be removed", _AS_THEY_WERE):
        steps = saved_steps(directory)
        kept = {step_directory(directory, n).name for n in [n for n in steps if n <= step][-keep:]}
        kept |= {os.readlink(directory / name) for name in POINTERS if (directory / name).is_symlink()}
        for path in directory.iterdir():
            is_checkpoint = path.name.startswith("step-") and path.name not in kept
            if path.is_dir() and not path.is_symlink() and (is_checkpoint or path.name.endswith(PARTIAL)):
                shutil.rmtree(path)


def load_checkpoint(path: Path, graph: Graph) -> Checkpoint:
    """Return the model of a checkpoint directory.

    Raises CannotRunError, naming the file, for what is missing, truncated, altered or of another network.
    """
    meta = _read_meta(path / META)
    arrays = tensors_from_bytes(_read_verified(path / MODEL, meta.files.model), path / MODEL)
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


def load_training(path: Path) -> SavedTraining:
    """Return what to go on with from a checkpoint directory.

    Raises CannotRunError, naming the file, for what is missing, truncated or altered; the model is verified too.
    """
    meta = _read_meta(path / META)
    _read_verified(path / MODEL, meta.files.model)
    arrays = tensors_from_bytes(_read_verified(path / TRAINING, meta.files.training), path / TRAINING)
    return SavedTraining(arrays, meta.kernel_order, meta.step, Progress(**meta.progress.model_dump()))


class _File(Fields):
    """What checkpoint.json records of a file beside it."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: str


class _Files(Fields):
    """The files of a checkpoint, by their names."""

    model: _File = Field(alias="model.safetensors")
    training: _File = Field(alias="training.safetensors")


_Count = Annotated[int, Field(ge=0)]
_Seconds = Annotated[float, Field(ge=0)]


class _Progress(Fields):
    """A Progress, as JSON."""

    epoch: _Count
    epoch_updates: _Count
    epoch_images: _Count
    epoch_seconds: _Seconds
    records: _Count
    seconds: _Seconds
    left_out: Annotated[tuple[Annotated[int, Field(ge=1)], ...], LIST_AS_TUPLE] = ()


class _Meta(Fields):
    """What checkpoint.json holds; a metric is null after a training that diverged."""

    format: Literal["netcalc.checkpoint/2"]
    step: _Count
    epoch: _Count
    metrics: dict[str, Any]
    kernel_order: Literal["HWIO", "OHWI"] = "HWIO"
    progress: _Progress
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
            help="use another checkpoint: `train --resume RUN --from previous`, `evaluate RUN --checkpoint best`",
        )
    return data


def leaves_by_path(tree: object) -> Arrays:
    """Return the leaves of a tree by their paths in it."""
    paths = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in paths}


def _by_name(tree: dict[str, dict[str, jax.Array]]) -> Arrays:
    return {f"{node}/{name}": np.asarray(a) for node, group in tree.items() for name, a in group.items()}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
