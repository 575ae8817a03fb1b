"""How long it takes to find which node is which: `python -m tests.benchmarks.diff [NODES]`.

CPU time of the pairing alone, the best of several runs, for networks that are hard to pair.
"""

from __future__ import annotations

import sys
import time

from netcalc.analysis.alignment import align
from tests.analysis.test_alignment import PAIRS

RUNS = 3


def main(length: int) -> None:
    for kind, networks in PAIRS.items():
        before, after = networks(length)
        times = []
        for _ in range(RUNS):
            started = time.process_time()
            align(before, after)
            times.append(time.process_time() - started)
        print(f"{kind:20}  {len(before.nodes):6,} and {len(after.nodes):6,} nodes  {min(times):6.3f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
