"""JAX's plug-in for NVIDIA GPUs where there is no driver: installed to compile ahead of time, not to compute.

JAX starts every plug-in that it finds, and logs a traceback of one that cannot start. That is news where a GPU is
there, or was asked for, and none where nobody expects one.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGER = "jax._src.xla_bridge"
_FAILURE = "Jax plugin configuration error"
_PLUGIN = "jax_plugins.xla_cuda"
_DRIVER = "libcuda.so.1"


@contextmanager
def absent_driver_unsaid() -> Iterator[None]:
    """Keep JAX from logging that a plug-in for NVIDIA GPUs cannot start where there is no NVIDIA driver."""
    if driver_is_installed():
        yield
        return
    logger = logging.getLogger(_LOGGER)
    logger.addFilter(_is_news)
    try:
        yield
    finally:
        logger.removeFilter(_is_news)


def driver_is_installed() -> bool:
    """Tell whether the library of NVIDIA's driver can be loaded."""
    try:
        ctypes.CDLL(_DRIVER)
    except OSError:
        return False
    return True


def _is_news(record: logging.LogRecord) -> bool:
    said = record.getMessage()
    return not (said.startswith(_FAILURE) and _PLUGIN in said)
