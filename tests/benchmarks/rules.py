"""How long the rules of design take: `python -m tests.benchmarks.rules [NETWORK...]`.

CPU time of all rules over a graph that is built, the best of several runs; at the end of all configs together.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from netcalc.checks.ruled import ruled
from netcalc.checks.rules import Subject
from netcalc.graph import build
from netcalc.spec.load import load_spec
from netcalc.spec.network import NetworkSpec

CONFIGS = Path(__file__).parents[2] / "configs"
RUNS = 10


def rules_seconds(spec: NetworkSpec) -> float:
    """Return the CPU time of all rules; each run has a graph of its own, which remembers nothing."""

    def once() -> float:
        graph = build(spec)
        started = time.process_time()
        for _ in ruled(Subject(graph)):
            pass
        return time.process_time() - started

    return min(once() for _ in range(RUNS))


def main(networks: list[str]) -> None:
    for network in networks or ["lenet5", "resnet50", "resnet152", "densenet201", "preact_resnet1001"]:
        spec = load_spec(CONFIGS / f"{network}.yaml")
        print(f"{network:20} {len(spec.nodes):6,} nodes  {1e3 * rules_seconds(spec):7.1f} ms")
    if not networks:
        paths = [path for path in CONFIGS.rglob("*.yaml") if path.parent.name != "blocks"]
        total = sum(rules_seconds(load_spec(path)) for path in paths)
        print(f"{len(paths)} configs together  {1e3 * total:7.1f} ms")


if __name__ == "__main__":
    main(sys.argv[1:])
