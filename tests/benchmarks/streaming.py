"""How long a training waits for images from disk: `python -m tests.benchmarks.streaming [FILES]`.

JPEG files of 500×375 pixels, scaled to 224×224. First as fast as they come, then beside a step that takes as
long as the device would.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from netcalc.data.pipeline import training_batches
from netcalc.data.read_ahead import WORKERS
from netcalc.data.samples import Split
from netcalc.data.sources import load_dataset
from netcalc.spec.data import ImageFolderData

BATCH = 32
STEPS_MS = (0, 50, 100, 200)


def write_files(root: Path, files: int) -> None:
    random = np.random.default_rng(0)
    for number in range(files):
        folder = root / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        coarse = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((500, 375)).save(folder / f"{number}.jpg", quality=90)


def measure(train: Split, step_ms: int) -> None:
    began = time.perf_counter()
    batches = training_batches(train, BATCH, seed=0, epoch=1)
    for _ in batches:
        time.sleep(step_ms / 1000)
    seconds = time.perf_counter() - began
    rate = len(train.labels) / seconds
    print(f"step {step_ms:4} ms  {seconds:6.2f} s  {rate:6.0f} images/s  waited {batches.waited_seconds:5.2f} s")


def main(files: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), files)
        spec = ImageFolderData(source="image_folder", path=folder, resize=(224, 224))
        train = load_dataset(spec).train
        print(f"{len(train.labels)} images, {WORKERS} threads")
        for step_ms in STEPS_MS:
            measure(train, step_ms)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
