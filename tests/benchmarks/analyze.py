"""How long the calculator takes: `python -m tests.benchmarks.analyze [NETWORK...]`.

CPU time of the whole command in a fresh process, and of the analysis alone once everything is imported: the best of
several runs, since whatever else the machine does only adds.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import netcalc
from netcalc.analysis.estimate import Demand
from netcalc.analysis.report import analyze_graph
from netcalc.cli.device_files import devices_of
from netcalc.spec.training import UpdateSpec

CONFIGS = Path(__file__).parents[2] / "configs"
RUNS = 10
OPTIONS = ("--batch", "64", "--device", "h100-sxm")


def command_seconds(*arguments: str) -> float:
    """Return the CPU time of a command in a process of its own."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "netcalc", *arguments], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(RUNS))


def analysis_seconds(network: str) -> tuple[float, float]:
    """Return the CPU time of sizes and costs alone, and with memory and the roofline."""
    graph = netcalc.load(CONFIGS / f"{network}.yaml")
    demand = Demand(UpdateSpec(), 64, devices_of(None)["h100-sxm"])

    def best(demand: Demand | None) -> float:
        times = []
        for _ in range(RUNS):
            started = time.process_time()
            analyze_graph(graph, 64, demand=demand)
            times.append(time.process_time() - started)
        return min(times)

    return best(None), best(demand)


def main(networks: list[str]) -> None:
    print("network                 command      with device   analysis   with memory and time")
    for network in networks or ["lenet5", "resnet50", "resnet152", "densenet201"]:
        spec = str(CONFIGS / f"{network}.yaml")
        plain, full = command_seconds("analyze", spec), command_seconds("analyze", spec, *OPTIONS)
        alone, whole = analysis_seconds(network)
        print(f"{network:20}  {plain:7.3f} s     {full:7.3f} s  {1e3 * alone:7.1f} ms     {1e3 * whole:7.1f} ms")


if __name__ == "__main__":
    main(sys.argv[1:])
