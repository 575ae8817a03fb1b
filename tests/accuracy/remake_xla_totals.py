"""Remake xla_gpu_totals.jsonl: what XLA assigns to the training step of every configuration on an H100.

    pip install -e '.[exact-gpu]'
    python -m tests.accuracy.remake_xla_totals [WORD...]

No accelerator is needed. With words, only configurations whose key holds one of them are compiled anew. Each runs
in a process of its own; a line is written as soon as it is known, and those already there for this version are
kept.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.accuracy.configurations import EVERY, Configuration

DATA = Path(__file__).with_name("xla_gpu_totals.jsonl")
CONFIGS = Path(__file__).parents[2] / "configs"


def main(words: list[str]) -> None:
    known = {line["key"]: line for line in map(json.loads, DATA.read_text().splitlines())} if DATA.exists() else {}
    for configuration in EVERY:
        key = configuration.key
        if (words and not any(word in key for word in words)) or (not words and key in known):
            continue
        known[key] = {"key": key, **compiled(configuration)}
        print(json.dumps(known[key]), flush=True)
        order = [c.key for c in EVERY if c.key in known]
        DATA.write_text("".join(json.dumps(known[k]) + "\n" for k in order))


def compiled(configuration: Configuration) -> dict[str, object]:
    """Compile one configuration in a fresh process."""
    started = time.perf_counter()
    request = json.dumps({"network": configuration.network, "update": configuration.update()})
    command = [sys.executable, "-m", "tests.accuracy.compile_one", request]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1][:300]}
    return {**json.loads(done.stdout.splitlines()[-1]), "seconds": round(time.perf_counter() - started, 1)}


if __name__ == "__main__":
    main(sys.argv[1:])
