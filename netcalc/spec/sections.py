"""The sections of a spec, and the models of those that have one."""

from __future__ import annotations

from netcalc.choice import Fields
from netcalc.spec.budgets import Budgets
from netcalc.spec.inputs import InputFields
from netcalc.spec.training import TrainingSpec

SECTIONS = (
    "extends", "imports", "name", "input", "inputs", "params", "defaults", "blocks", "layers", "outputs", "train",
    "budgets", "resolved",
)  # fmt: skip
"""The keys that a spec may have at top level."""

MODELS: dict[str, type[Fields]] = {"input": InputFields, "train": TrainingSpec, "budgets": Budgets}
"""What the fields of a section may hold."""
