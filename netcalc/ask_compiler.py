"""Ask XLA what the training step of a network needs on a device that need not be there.

The compiler runs in a process of its own, so nothing here imports JAX.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from netcalc.analysis.compile_request import (
    CannotAnswer,
    CompileRequest,
    WrongSpec,
    parse_answer,
    request_json,
)
from netcalc.analysis.exact import DoesNotFit, ExactMemory
from netcalc.analysis.targets import INSTALL, Platform, Target
from netcalc.diagnostics import CannotRunError, SpecError
from netcalc.spec.training import UpdateSpec

_PLUGINS: dict[Platform, tuple[str, ...]] = {
    "gpu": ("jax_plugins.xla_cuda13", "jax_plugins.xla_cuda12"),
    "tpu": ("libtpu",),
    "cpu": (),
}
"""Modules that bring the compiler for a platform, one of them; that for CPUs comes with JAX."""

_SIGKILL = 9


def exact_memory(
    spec: str | os.PathLike[str],
    target: Target,
    update: UpdateSpec,
    overrides: Sequence[str] = (),
    root: Path | None = None,
    timeout_seconds: float | None = None,
) -> ExactMemory | DoesNotFit:
    """Return what the compiler assigns to the step that a training of the spec runs, or that it does not fit.

    `spec`, `overrides` and `root` are those of `load_spec`; `update` is used in place of the spec's own. Raises
    SpecError where a training of the spec would, and CannotRunError where the compiler is not installed, does not
    start, or takes longer than `timeout_seconds`.
    """
    require_compiler(target)
    request = CompileRequest(Path(spec), tuple(overrides), root, update, target)
    answer = parse_answer(_run(request_json(request), target, timeout_seconds))
    match answer:
        case WrongSpec(diagnostics=diagnostics):
            raise SpecError(diagnostics)
        case CannotAnswer(message=message, help=help):
            raise CannotRunError(message, help)
    return answer


def require_compiler(target: Target) -> None:
    """Raise CannotRunError, with the command that installs it, where the compiler for a target is missing."""
    modules = _PLUGINS[target.platform]
    if modules and not any(map(_is_installed, modules)):
        raise CannotRunError(
            f"the compiler for {target.key} is not installed",
            f"{INSTALL[target.platform]} gets it; no {target.platform.upper()} is needed",
        )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False


def _run(request: str, target: Target, timeout_seconds: float | None) -> str:
    """Return what the process prints for a request."""
    # With -P, what lies in the current folder is not taken for a module.
    command = [sys.executable, "-P", "-m", "netcalc.train.compile_process"]
    try:
        done = subprocess.run(
            command,
            input=request,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=_environment(),
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotRunError(
            f"the compiler for {target.key} did not finish in {timeout_seconds:g} seconds",
            "allow it more time; TPUs take minutes for a large network",
        ) from None
    if done.returncode < 0:
        last = next(reversed(done.stderr.strip().splitlines()), "")
        why = "it was killed, perhaps for want of memory" if done.returncode == -_SIGKILL else last[:300]
        raise CannotRunError(f"the compiler for {target.key} ended with signal {-done.returncode}", why)
    if done.returncode:
        raise RuntimeError(f"the process that compiles failed:\n{done.stderr}")
    return done.stdout


def _environment() -> dict[str, str]:
    """Return the environment of the process: it finds the same modules, uses no device and asks no network."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "JAX_PLATFORMS": "cpu",
        "TPU_SKIP_MDS_QUERY": "1",
    }
