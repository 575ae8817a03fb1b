"""Compile one training step for a described H100 and print what XLA assigned, as a line of JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"

import jax
from jax.experimental import topologies

import netcalc
from netcalc.spec.training import UpdateSpec
from netcalc.train.ahead_of_time import as_declared, compile_step, memory_of

ROOT = Path(__file__).parents[2]


def main(request: str, hlo: str | None = None) -> None:
    wanted = json.loads(request)
    graph = netcalc.load(ROOT / "configs" / f"{wanted['network']}.yaml")
    target = (ROOT / "netcalc" / "train" / "targets" / "h100.txtpb").read_text()
    topology = topologies.get_topology_desc(platform="cuda", target_config=target, topology="1x1x1")
    update = UpdateSpec.model_validate(wanted["update"])
    compiled = compile_step(graph, update, topology.devices[0], as_declared(graph))
    if hlo:
        Path(hlo).write_text(compiled.as_text())
    memory = memory_of(compiled)
    print(
        json.dumps(
            {
                "argument": memory.argument_bytes,
                "output": memory.output_bytes,
                "alias": memory.alias_bytes,
                "temp": memory.temp_bytes,
                "total": memory.total_bytes,
                "jax": jax.__version__,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
