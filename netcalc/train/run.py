"""The run directory: what was trained, on what, how it went, and the checkpoints.

runs/lenet5-1/   spec.yaml            the resolved spec
                 preprocessing.json   how images become inputs, statistics included
                 environment.json     versions and device
                 metrics.jsonl        one record an epoch; metrics.csv the same as a table
                 checkpoints/         last and best
"""

from __future__ import annotations

import csv
import json
import os
import platform
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from netcalc.data.preprocessing import Preprocessing, stored_preprocessing
from netcalc.diagnostics import CannotRunError
from netcalc.graph import Graph, build_complete
from netcalc.spec.dump import dump_spec
from netcalc.spec.load import load_spec
from netcalc.units import finite

SPEC, PREPROCESSING, ENVIRONMENT = "spec.yaml", "preprocessing.json", "environment.json"
METRICS_JSONL, METRICS_CSV, CHECKPOINTS = "metrics.jsonl", "metrics.csv", "checkpoints"


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """Metrics after an epoch; epoch 0 is before the first update.

    The training figures are means over the epoch as it went, the test figures those of the model after it.
    """

    epoch: int
    step: int
    train_loss: float | None
    train_accuracy: float | None
    test_loss: float
    test_accuracy: float
    images_per_second: float | None
    seconds: float


def create_run(root: Path, graph: Graph, preprocessing: Preprocessing, device: jax.Device) -> Path:
    """Make `root/<name>-<n>` with the next free n, fill in what is known before training, and return it."""
    try:
        run = _claim(root, graph.name)
        (run / CHECKPOINTS).mkdir()
        origin = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in graph.spec.file)
        text = f"# Resolved from {origin} by netcalc.\n{dump_spec(graph.spec)}"
        (run / SPEC).write_text(text, encoding="utf-8")
        _write_json(run / PREPROCESSING, preprocessing.to_dict())
        _write_json(run / ENVIRONMENT, _environment(device))
    except OSError as error:
        raise CannotRunError(f"{root}: a run directory cannot be made ({error.strerror or error})") from None
    return run


def record_epoch(run: Path, record: EpochRecord) -> None:
    """Append an epoch's metrics to metrics.jsonl and metrics.csv; one that is not finite is null and empty."""
    values = {name: None if value is None else finite(value) for name, value in asdict(record).items()}
    names = [field.name for field in fields(EpochRecord)]
    try:
        with open(run / METRICS_JSONL, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(values, allow_nan=False) + "\n")
        is_new = not (run / METRICS_CSV).exists()
        with open(run / METRICS_CSV, "a", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, names, lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow(values)
    except OSError as error:
        raise CannotRunError(f"{run}: metrics cannot be written ({error.strerror or error})") from None


def open_run(run: Path) -> tuple[Graph, Preprocessing]:
    """Return the network and preprocessing of a run; raises CannotRunError for what is no run."""
    if not (run / SPEC).is_file():
        raise CannotRunError(f"{run}: not a run directory (no {SPEC})", help="a run is made by `netcalc train`")
    try:
        stored = (run / PREPROCESSING).read_bytes()
    except OSError as error:
        raise CannotRunError(f"{run / PREPROCESSING}: cannot be read ({error.strerror or error})") from None
    return build_complete(load_spec(run / SPEC)), stored_preprocessing(stored, str(run / PREPROCESSING))


def checkpoint_path(run: Path, name: str) -> Path:
    """Return the directory of a run's checkpoint: `last`, `best` or a step directory."""
    path = run / CHECKPOINTS / name
    if path.is_dir():
        return path
    folder = run / CHECKPOINTS
    there = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    found = f"it has {', '.join(there)}" if there else "it has none yet"
    raise CannotRunError(f"{run}: no checkpoint `{name}`; {found}")


def _claim(root: Path, name: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    taken = [path.name.removeprefix(f"{name}-") for path in root.glob(f"{name}-*")]
    number = max((int(n) for n in taken if n.isdecimal()), default=0) + 1
    while True:
        try:
            (root / f"{name}-{number}").mkdir()
        except FileExistsError:  # another training has just taken it
            number += 1
        else:
            return root / f"{name}-{number}"


def _environment(device: jax.Device) -> dict[str, Any]:
    packages = ("netcalc-nn", "jax", "jaxlib", "numpy", "optax")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "device": {"platform": device.platform, "kind": device.device_kind},
        "packages": {name: version(name) for name in packages},
    }


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
