"""The sizes that compilers name when a step does not fit."""

from __future__ import annotations

import pytest

from netcalc.train.refusal import refused_sizes

GIB = 2**30


@pytest.mark.parametrize(
    ("message", "needed", "memory"),
    [
        (
            "RESOURCE_EXHAUSTED: E1000: CompileTimeHbmOom: Ran out of memory on HBM, the total memory required for "
            "HLO temporaries (91.49G) exceeds available HBM (15.75G). HLO module: jit_step.\nSee the page.",
            91.49 * GIB, 15.75 * GIB,
        ),
        (
            "RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory in memory space hbm. "
            "Used 20.67G of 15.75G hbm. Exceeded hbm capacity by 4.92G.",
            20.67 * GIB, 15.75 * GIB,
        ),
        ("(900.5M) exceeds available HBM (512K)", 900.5 * 2**20, 512 * 2**10),
        ("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes.", None, None),
    ],
)  # fmt: skip
def test_sizes(message: str, needed: float | None, memory: float | None) -> None:
    found = refused_sizes(message)
    assert found.needed_bytes == (None if needed is None else round(needed))
    assert found.memory_bytes == (None if memory is None else round(memory))
