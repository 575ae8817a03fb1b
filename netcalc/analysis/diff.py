"""What differs between two networks, as plain frozen data whose JSON is a stable contract.

Differences are after less before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from netcalc.analysis.report import Tensor, plain
from netcalc.analysis.value_changes import ValueChange
from netcalc.spec.training import Precision, Remat

FORMAT: Literal["netcalc.diff/1"] = "netcalc.diff/1"

ChangeWord: TypeAlias = Literal["added", "removed", "changed", "renamed", "moved", "affected"]


@dataclass(frozen=True, slots=True)
class Delta:
    """A figure on both sides: 0 for a node on the side that does not have it, null where it is not known."""

    before: int | float | None
    after: int | float | None
    delta: Annotated[int | float | None, Field(description="after − before")]
    percent: Annotated[float | None, Field(description="of the figure before; null where that is 0 or not known")]


@dataclass(frozen=True, slots=True)
class Costs:
    """What a network or a node costs for one sample, on both sides."""

    trainable_params: Delta
    frozen_params: Delta
    state: Annotated[Delta, Field(description="elements that training updates without a gradient")]
    macs: Annotated[Delta, Field(description="forward")]
    training_macs: Annotated[Delta, Field(description="forward and backward")]
    flops: Annotated[Delta, Field(description="forward")]
    training_flops: Annotated[Delta, Field(description="forward and backward")]
    activation_elements: Annotated[Delta, Field(description="of the outputs of nodes")]


@dataclass(frozen=True, slots=True)
class Totals(Costs):
    """What the networks cost, and what a step takes; forward figures without what serves training alone."""

    training_bytes: Annotated[
        Delta, Field(description="memory of a training step; null where no rule is known for the device")
    ]
    inference_bytes: Annotated[Delta, Field(description="memory of inference, likewise")]
    training_seconds: Annotated[
        Delta | None, Field(description="least time of a training step; null where no device was named")
    ]
    inference_seconds: Annotated[Delta | None, Field(description="least time of a batch at inference, likewise")]


@dataclass(frozen=True, slots=True)
class NodeCosts(Costs):
    """What a node costs, and its part of a step."""

    held_bytes: Annotated[
        Delta, Field(description="its weights and tensors at the peak of a training step; null as in the totals")
    ]
    training_seconds: Annotated[
        Delta | None, Field(description="least time in a training step; null where no device was named")
    ]
    inference_seconds: Annotated[Delta | None, Field(description="least time of a batch at inference, likewise")]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two networks, and what memory and time are of."""

    name: str
    source: Annotated[str, Field(description="the file, or `REVISION:path` for one of a git revision")]
    batch: int
    optimizer: str
    precision: Precision
    remat: Remat
    device: str | None


@dataclass(frozen=True, slots=True)
class Wiring:
    """The names that a node reads, where they lead elsewhere than before."""

    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeDiff:
    """A node that differs. One that both networks have can be changed, renamed and moved at once."""

    change: Annotated[
        tuple[ChangeWord, ...],
        Field(
            description="changed: other fields; renamed: another name; moved: other inputs or another place; "
            "affected: other sizes or costs because of other nodes"
        ),
    ]
    before: Annotated[str | None, Field(description="its name in the first network; null where it is added")]
    after: Annotated[str | None, Field(description="its name in the second network; null where it is removed")]
    type: Annotated[str, Field(description="of the layer, in the second network where it has the node")]
    group: Annotated[
        str | None, Field(description="the outermost group around it that is added or removed as a whole")
    ]
    fields: Annotated[
        tuple[ValueChange, ...], Field(description="fields of the layer that changed, `type` included")
    ]
    inputs: Annotated[Wiring | None, Field(description="null where they lead to the same nodes")]
    output_before: Tensor | None
    output_after: Tensor | None
    costs: NodeCosts


@dataclass(frozen=True, slots=True)
class Output:
    """An output of the network."""

    name: str
    shape: tuple[int, ...]
    receptive_field: Annotated[
        tuple[float, ...] | None, Field(description="positions of the input that it sees, by axis; null if unknown")
    ]


@dataclass(frozen=True, slots=True)
class OutputPair:
    """The outputs that have the same place in the lists of both networks; null where one has fewer."""

    before: Output | None
    after: Output | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of nodes; one that is changed, renamed and moved counts in each of the three."""

    added: int
    removed: int
    changed: int
    renamed: int
    moved: int
    affected: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between two networks."""

    format: Literal["netcalc.diff/1"]
    before: Side
    after: Side
    differs: Annotated[bool, Field(description="whether there is any node or setting that differs")]
    settings: Annotated[
        tuple[ValueChange, ...],
        Field(description="of the specs beside nodes: name, inputs, outputs, params, train, budgets"),
    ]
    totals: Totals
    outputs: Annotated[tuple[OutputPair, ...], Field(description="all outputs of inference")]
    counts: Counts
    nodes: Annotated[tuple[NodeDiff, ...], Field(description="those that differ, in the order of the networks")]

    def to_dict(self) -> dict[str, Any]:
        """Return the diff as plain data, ready for JSON."""
        found: dict[str, Any] = plain(self)
        return found


def diff_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `Diff.to_dict`; new keys may be added, none are taken away."""
    schema = TypeAdapter(Diff).json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
