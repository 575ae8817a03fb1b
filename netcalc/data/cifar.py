"""CIFAR's binary form: records of one or two label bytes and 3,072 bytes of pixels, channel by channel.

https://www.cs.toronto.edu/~kriz/cifar.html describes it. CIFAR-100 has a coarse label before the fine one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netcalc.data.samples import Split, frozen_split
from netcalc.diagnostics import CannotRunError

SIDE, CHANNELS = 32, 3
_PIXEL_BYTES = SIDE * SIDE * CHANNELS


def cifar_samples(files: Mapping[str, bytes], classes: int, label_bytes: int) -> Split:
    """Return the samples of binary files, in their order; the last label byte of a record is its class.

    Raises CannotRunError, naming the file, for one that is no whole number of records or has an unknown class.
    """
    record = label_bytes + _PIXEL_BYTES
    images, labels = [], []
    for name, data in files.items():
        if not data or len(data) % record:
            raise CannotRunError(f"{name}: {len(data):,} bytes are no whole number of records of {record:,}")
        rows = np.frombuffer(data, np.uint8).reshape(-1, record)
        if (largest := int(rows[:, label_bytes - 1].max())) >= classes:
            raise CannotRunError(f"{name}: the label {largest} is outside the {classes} classes")
        labels.append(rows[:, label_bytes - 1])
        images.append(rows[:, label_bytes:].reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1))
    return frozen_split(np.ascontiguousarray(np.concatenate(images)), np.concatenate(labels))
