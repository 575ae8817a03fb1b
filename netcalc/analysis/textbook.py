"""The memory rule of the lecture that netcalc grew out of: what fits on a GPU, by pencil and paper.

Four bytes for each parameter; four for each activation that is stored, the outputs of layers with weights; as much
again for the activations' gradients. How many networks fit is the memory over those activations and gradients
alone: copies that train on different images share their parameters, and the rule leaves the one set out. It knows
no gradients of parameters, no optimizer and no workspace, so it is a lower bound and no plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

VALUE_BYTES = 4  # single precision
MEMORY_BYTES = 8 * 10**9  # the lecture's GPU

Bytes = Annotated[int | None, Field(description="null where it is not known")]


@dataclass(frozen=True, slots=True)
class TextbookMemory:
    """Memory by the lecture's rule, for one sample; None where the network's figures are not known."""

    params_bytes: Bytes
    activation_bytes: Annotated[int | None, Field(description="stored outputs of layers with weights")]
    training_activation_bytes: Annotated[int | None, Field(description="activations and their gradients")]
    memory_bytes: Annotated[int, Field(description="what `copies` have to share")]
    copies: Annotated[
        int | None, Field(description="memory over training activations; null without layers that have weights")
    ]
    copies_beside_params: Annotated[
        int | None, Field(description="the same in the memory that one set of parameters leaves")
    ]


def textbook_memory(
    params: int | None, activations: int | None, memory_bytes: int = MEMORY_BYTES
) -> TextbookMemory:
    """Return the lecture's figures for so many parameters and stored activations of one sample."""
    params_bytes = None if params is None else VALUE_BYTES * params
    activation_bytes = None if activations is None else VALUE_BYTES * activations
    training_bytes = None if activation_bytes is None else 2 * activation_bytes
    return TextbookMemory(
        params_bytes,
        activation_bytes,
        training_bytes,
        memory_bytes,
        _copies(memory_bytes, training_bytes),
        None if params_bytes is None else _copies(memory_bytes - params_bytes, training_bytes),
    )


def _copies(memory_bytes: int, copy_bytes: int | None) -> int | None:
    return max(memory_bytes, 0) // copy_bytes if copy_bytes else None
