"""The run directory: what was trained, on what, how it went, and the checkpoints.

runs/lenet5-1/   spec.yaml            the resolved spec
                 preprocessing.json   how images become inputs, statistics included
                 environment.json     versions, machine and device at the start
                 run.json             whether it is finished, each session, the data's checksum
                 resources.json       memory and time of a step, predicted and measured
                 metrics.jsonl        one record an epoch; metrics.csv the same as a table
                 checkpoints/         the last ones and the best
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from netcalc.data.preprocessing import Preprocessing, stored_preprocessing
from netcalc.diagnostics import CannotRunError
from netcalc.graph import Graph, build_complete
from netcalc.spec.dump import dump_spec
from netcalc.spec.load import load_spec
from netcalc.spec.network import NetworkSpec
from netcalc.train.durable import replace_file, told

SPEC, PREPROCESSING, ENVIRONMENT = "spec.yaml", "preprocessing.json", "environment.json"
CHECKPOINTS = "checkpoints"


def create_run(root: Path, graph: Graph, preprocessing: Preprocessing, environment: dict[str, Any]) -> Path:
    """Make `root/<name>-<n>` with the next free n, fill in what is known before training, and return it."""
    try:
        run = _claim(root, graph.name)
        (run / CHECKPOINTS).mkdir()
        replace_file(run / SPEC, _spec_text(graph.spec, graph.spec.file))
        _write_json(run / PREPROCESSING, preprocessing.to_dict())
        _write_json(run / ENVIRONMENT, environment)
    except OSError as error:
        raise CannotRunError(f"{root}: a run directory cannot be made ({error.strerror or error})") from None
    return run


def change_spec(run: Path, spec: NetworkSpec) -> None:
    """Give a run another spec, in one atomic swap; raises CannotRunError where the disk does not take it."""
    first = (run / SPEC).read_text(encoding="utf-8").partition("\n")[0]
    origin = first.removeprefix("# Resolved from ").removesuffix(" by netcalc.")
    with told(run / SPEC, "the changed spec cannot be written", "the run is as it was"):
        replace_file(run / SPEC, _spec_text(spec, origin))


def read_environment(run: Path) -> dict[str, Any]:
    """Return what a run was started with; raises CannotRunError for anything but a mapping."""
    try:
        found = json.loads((run / ENVIRONMENT).read_bytes())
        if isinstance(found, dict):
            return found
        problem = "no mapping"
    except OSError as error:
        problem = error.strerror or str(error)
    except ValueError as error:
        problem = str(error)
    raise CannotRunError(f"{run / ENVIRONMENT}: cannot be read ({problem})")


def require_run(run: Path) -> None:
    """Raise CannotRunError for what is no run."""
    if not (run / SPEC).is_file():
        raise CannotRunError(f"{run}: not a run directory (no {SPEC})", help="a run is made by `netcalc train`")


def open_run(run: Path) -> tuple[Graph, Preprocessing]:
    """Return the network and preprocessing of a run; raises CannotRunError for what is no run."""
    require_run(run)
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


def _spec_text(spec: NetworkSpec, origin: str) -> str:
    origin = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in origin)
    return f"# Resolved from {origin} by netcalc.\n{dump_spec(spec)}"


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
