"""What XLA has compiled, kept on disk for the next start of a training."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

import jax

from netcalc.train.environment import processor

SWITCH = "NETCALC_NO_CACHE"
"""The environment variable that turns the cache off if it is set to anything."""

_LEAST_COMPILE_SECONDS = 0.2
"""What takes less is compiled as fast as it is read."""


def use_compilation_cache(wanted: bool) -> None:
    """Let JAX keep what it compiles in the user's cache folder, unless that is not wanted.

    A folder that JAX itself was told of, as by JAX_COMPILATION_CACHE_DIR, stays. One that cannot be made is done
    without. Programs for a CPU are for that very processor, so each has a folder of its own.
    """
    if not wanted or os.environ.get(SWITCH):
        jax.config.update("jax_enable_compilation_cache", False)
        return
    if jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _LEAST_COMPILE_SECONDS)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def cache_folder() -> Path:
    """Return `$XDG_CACHE_HOME/netcalc/xla/` and a name that stands for the processor."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    kind = hashlib.sha256(f"{platform.machine()} {processor()}".encode()).hexdigest()[:12]
    return Path(base) / "netcalc" / "xla" / kind
