"""The largest batch of published networks, against trying every batch: run with `pytest -m slow`."""

from __future__ import annotations

from itertools import pairwise

import pytest

from netcalc.analysis.batch_memory import BatchMemory
from netcalc.analysis.largest_batch import largest_batch
from netcalc.spec.training import UpdateSpec
from tests.configs.zoo import load

NETWORKS = (
    "lenet5", "resnet20", "resnet18", "resnet34", "resnet50", "vgg16", "alexnet", "zfnet", "nin", "googlenet",
    "squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x1_0", "unet_same", "m5",
)  # fmt: skip
MIXED, REMAT = {"precision": "mixed"}, {"remat": "conv_outputs"}
SETTINGS = [{}, MIXED, REMAT, MIXED | REMAT]
TRIED, LIMITED = 400, 380
"""Batches that are tried, and those whose totals limits lie at: what is behind the last one hardly counts."""


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("changes", SETTINGS, ids=lambda changes: "-".join(changes.values()) or "float32")
def test_every_limit_is_answered_as_by_trying(name: str, changes: dict[str, str]) -> None:
    graph = load(name)
    memory, update = BatchMemory(graph), (graph.spec.train or UpdateSpec()).model_copy(update=changes)
    taken = [0, *(memory.varying_bytes(update, batch) for batch in range(1, TRIED + 1))]
    asked = set[int]()

    def bytes_of(batch: int) -> int:
        asked.add(batch)
        return taken[batch] if batch <= TRIED else taken[TRIED] * batch // TRIED

    for size, above in pairwise(taken[1:LIMITED]):
        for limit in (size, (size + above) // 2, above - 1):
            expected = next(batch - 1 for batch in range(1, TRIED + 1) if taken[batch] > limit)
            asked.clear()
            assert largest_batch(bytes_of, limit) == expected, limit
            assert len(asked) < 60
