"""Measure the peak memory of training steps on a GPU, beside what the model predicts and the compiler assigns.

    python -m tests.accuracy.measure_on_gpu [WORD...] > table.md

With words, only configurations whose key holds one of them run. Each runs twice, in fresh processes: the first one
tunes convolutions and fills a cache, since tuning itself allocates; the second one is measured. The lines go to
measured_on_gpu.jsonl as they are known. Without a GPU it says so and ends with 2.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.accuracy.configurations import EVERY, Configuration

RESULTS = Path(__file__).with_name("measured_on_gpu.jsonl")
STEPS = 3
NO_GPU = 2


def main(words: list[str]) -> int:
    known: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as cache:
        for configuration in EVERY:
            if words and not any(word in configuration.key for word in words):
                continue
            for _ in ("tune", "measure"):
                found = in_fresh_process(configuration, cache)
                if found is None:
                    print("JAX sees no GPU here: nothing was measured", file=sys.stderr)
                    return NO_GPU
            known[configuration.key] = {"key": configuration.key, **found}
            RESULTS.write_text("".join(json.dumps(line) + "\n" for line in known.values()))
    print("| configuration | device | model | XLA | measured |\n|:--|:--|--:|--:|--:|")
    for key, line in known.items():
        shown = (
            f"{line[name] / 1e6:,.1f} MB" if name in line else "-" for name in ("predicted", "compiled", "peak")
        )
        print(f"| {key} | {line.get('device', line.get('error', ''))} | {' | '.join(shown)} |")
    return 0


def in_fresh_process(configuration: Configuration, cache: str) -> dict[str, Any] | None:
    """Return what one process found, its error where it failed, None where there is no GPU."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_per_fusion_autotune_cache_dir={cache}"
    done = subprocess.run(
        [sys.executable, "-m", "tests.accuracy.measure_on_gpu", "--one", configuration.key],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XLA_FLAGS": flags.strip()},
    )
    if done.returncode == NO_GPU:
        return None
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no output"])[-1][:200]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def one(key: str, platform: str = "gpu") -> int:
    """Run some steps of one configuration and print its figures as a line of JSON."""
    import jax

    from netcalc.spec.training import UpdateSpec
    from netcalc.train.ahead_of_time import as_declared, compile_step, memory_of
    from tests.accuracy.test_memory import graph_of, predicted

    try:
        device = jax.devices(platform)[0]
    except RuntimeError:
        return NO_GPU
    (configuration,) = (c for c in EVERY if c.key == key)
    graph, update = graph_of(configuration.network), UpdateSpec.model_validate(configuration.update())
    inputs = as_declared(graph)
    compiled = compile_step(graph, update, device, inputs)
    with jax.default_device(device):
        run_steps(graph, update, compiled)
    statistics = device.memory_stats() or {}
    figures = {
        "device": device.device_kind,
        "predicted": predicted(configuration).total_bytes,
        "compiled": memory_of(compiled).total_bytes,
    }
    if "peak_bytes_in_use" in statistics:
        figures["peak"] = statistics["peak_bytes_in_use"]
    print(json.dumps(figures))
    return 0


def run_steps(graph: Any, update: Any, compiled: Any) -> float:
    """Run the compiled step on random batches and return the mean loss."""
    import jax
    import numpy as np

    from netcalc.analysis.labels import label_shape
    from netcalc.train.ahead_of_time import assumed_task
    from netcalc.train.optimizers import make_updater
    from netcalc.train.recipe import make_recipe
    from netcalc.train.step import initial_train_state

    recipe = make_recipe(graph, update, assumed_task(graph, update), lambda images: images)
    current, sums = initial_train_state(recipe, make_updater(update)), recipe.meter.zero()
    random = np.random.default_rng(0)
    output = graph.nodes[recipe.main].known.output
    for _ in range(STEPS):
        batch = {
            name: random.normal(size=(update.batch_size, *type.shape)).astype(np.float32)
            for name, type in graph.inputs.items()
        }
        labels = random.integers(0, output.channels, (update.batch_size, *label_shape(graph, update))).astype(
            np.int32
        )
        current, sums = compiled(current, sums, jax.device_put(batch), jax.device_put(labels))
    return sums.means()["loss"]


if __name__ == "__main__":
    sys.exit(one(sys.argv[2]) if sys.argv[1:2] == ["--one"] else main(sys.argv[1:]))
