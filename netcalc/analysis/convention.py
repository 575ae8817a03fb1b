"""What a tool's convention is: the terms that it adds to MACs for each kind of layer, or leaves out of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from netcalc.layers.base import Inferred, TensorType

Form = Literal["module", "function", "method"]
"""How PyTorch code calls a layer: `nn.ReLU()`, `F.relu(x)` (also inside a module class of one's own), or as a
method or operator of the tensor, `x.mean((2, 3))`.
"""


@dataclass(frozen=True, slots=True)
class Call:
    """A layer as a tool sees it run: its facts, the first tensor it reads, and how the code calls it."""

    facts: Inferred
    input: TensorType
    form: Form = "module"

    @property
    def output(self) -> TensorType:
        """The tensor that it makes."""
        return self.facts.output

    @property
    def affine(self) -> bool:
        """Whether a norm scales or shifts by parameters."""
        return bool(self.facts.params)

    def param_size(self, *roles: str) -> int:
        """Return the number of elements of the parameters of these roles."""
        return sum(spec.size for spec in self.facts.params.values() if spec.role in roles)


@dataclass(frozen=True, slots=True)
class Term:
    """Something that a tool counts beside MACs, or leaves out of them; `times` by how the layer is called."""

    what: str
    count: Callable[[Call], int]
    times: Mapping[Form, int] = field(default_factory=lambda: {"module": 1})

    def of(self, call: Call) -> int:
        """Return what the term adds for a layer."""
        times = self.times.get(call.form, 0)
        return times * self.count(call) if times else 0


Params = Literal["all", "trained", "hooked", "with_state"]
"""Which parameters a tool prints: all of them, those with a gradient, those of the modules that it has a hook for
and that ran, or all and the state.
"""


@dataclass(frozen=True, slots=True)
class Convention:
    """A tool: the unit of its figure, how many of them a MAC is, its terms by kind of layer, its parameters.

    `unit` is None where it counts no operations; `counts_more` where it counts elementwise work as well that
    depends on more than the layers.
    """

    tool: str
    unit: str | None
    per_mac: int = 1
    terms: Mapping[str, tuple[Term, ...]] = field(default_factory=dict)
    params: Params | None = "all"
    hooked: frozenset[str] = frozenset()
    activations: bool = False
    counts_more: bool = False
    note: str = ""
