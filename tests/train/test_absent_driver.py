"""What JAX logs of a plug-in that cannot start is dropped only where there is no driver, and nothing else is."""

from __future__ import annotations

import logging

import pytest

from netcalc.train import absent_driver
from netcalc.train.absent_driver import absent_driver_unsaid

LOGGER = logging.getLogger("jax._src.xla_bridge")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    messages = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return messages


def complain() -> None:
    start = "Jax plugin configuration error: Exception when calling %s.initialize()"
    LOGGER.error(start, "jax_plugins.xla_cuda13")
    LOGGER.error(start, "jax_plugins.another")
    LOGGER.warning("something else of jax_plugins.xla_cuda13")


@pytest.mark.parametrize("installed", [False, True])
def test_only_that_complaint_is_dropped_and_only_without_a_driver(
    installed: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(absent_driver, "driver_is_installed", lambda: installed)
    with absent_driver_unsaid():
        complain()
    assert len(said(caplog)) == (3 if installed else 2)
    complain()
    assert len(said(caplog)) == 3


def test_a_library_that_cannot_be_loaded_is_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absent_driver, "_DRIVER", "libno-such-driver.so.1")
    assert not absent_driver.driver_is_installed()
    monkeypatch.setattr(absent_driver, "_DRIVER", None)  # the program itself, which is always there
    assert absent_driver.driver_is_installed()
