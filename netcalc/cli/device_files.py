"""Which files of devices count: the user's own configuration, then the one that a command names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netcalc.analysis.devices import Devices


def devices_of(file: Path | None) -> Devices:
    """Return netcalc's devices, changed by the user's configuration if there is one and then by `file`."""
    from netcalc.analysis.device_files import load_devices

    own = configuration_file()
    return load_devices([path for path in (own if own.is_file() else None, file) if path is not None])


def configuration_file() -> Path:
    """Return where the user's own devices stand, by the XDG base directory specification."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    # The specification: a relative path is invalid and is to be ignored.
    folder = Path(home) if os.path.isabs(home) else Path(os.path.expanduser("~/.config"))
    return folder / "netcalc" / "devices.yaml"
