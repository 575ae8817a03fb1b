"""What netcalc says about a spec: one Diagnostic type, its codes, and the errors that carry it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]

CODES: dict[str, str] = {
    # Reading the text.
    "NC001": "the spec cannot be read",
    "NC002": "the text is not valid YAML",
    "NC003": "a key is written twice in one mapping",
    "NC004": "a YAML feature that specs do not use: tags, several documents, keys that are no scalars",
    "NC005": "the text goes beyond a safety limit",
    "NC006": "an expression inside { } or [ ] is not quoted",
    # What the fields may hold.
    "NC010": "unknown field",
    "NC011": "a field has the wrong type or value",
    "NC012": "a required field is missing",
    "NC013": "unknown layer",
    "NC014": "a node is not written as one layer with its wiring",
    "NC015": "an expression cannot be evaluated",
    "NC016": "an override names a path that the spec does not have",
    "NC017": "a block's name cannot be used",
    "NC018": "blocks or files use each other in a circle",
    "NC019": "a file outside the root of the spec",
    # How nodes are wired.
    "NC020": "an unknown node is named",
    "NC021": "two nodes have the same name",
    "NC022": "a layer gets the wrong number of inputs",
    "NC023": "a node cannot use another's parameters",
    # Whether layers fit their inputs.
    "NC100": "the input has the wrong number of axes",
    "NC101": "the kernel is larger than its input",
    "NC102": "`groups` or `pieces` does not divide the channels",
    "NC103": "the shapes at a merge do not agree",
    "NC104": "a field does not have one value per spatial axis",
    "NC105": "padding leaves pooling windows that see no input",
    "NC106": "a reshape does not keep the number of elements",
    "NC107": "a slice, a crop or padding leaves nothing of a map, or reaches beyond it",
    "NC108": "a tensor is too large to count with",
    # Whether the data fit the network.
    "NC200": "the spec has no `train:` section to train by",
    "NC201": "the data do not have the shape of the network's input",
    "NC202": "the network's output does not match the targets",
    "NC203": "training needs one input and one output",
    "NC204": "the loss does not go with the targets",
    # Rules of design.
    "NC301": "a bias just before batch normalisation",
    "NC302": "a stride that drops pixels",
    "NC303": "a kernel without a centre pixel",
    "NC304": "a kernel larger than its map",
    "NC305": "`same` padding that pads one end more than the other",
    "NC306": "a stride beyond the kernel",
    "NC307": "windows that see padding alone",
    "NC308": "dropout before batch normalisation",
    "NC309": "a normalisation over one value",
    "NC310": "batch normalisation with few samples in a batch",
    "NC311": "channels that are no multiple of 8",
    "NC312": "maps that shrink faster than their channels grow",
    "NC313": "grouped convolutions in a row whose groups never mix",
    "NC314": "an activation before a loss that has its own",
    "NC315": "a softmax of a softmax",
    "NC316": "two linear layers with nothing nonlinear between them",
    "NC317": "a rectifier of values that are never negative",
    "NC318": "many saturating activations in a row",
    "NC319": "a residual body that ends in a rectifier",
    "NC320": "an initialisation that was derived for another activation",
    "NC321": "signals that vanish or explode before training",
    "NC322": "units that start saturated",
    "NC323": "units that start dead",
    "NC324": "a receptive field smaller than the input",
    "NC325": "a receptive field smaller than the objects",
    "NC326": "branches that look at different places",
    "NC327": "a dense layer with most of the parameters",
    "NC328": "a network too large or too small for its training images",
    "NC329": "a learning rate out of its optimizer's usual range",
    "NC330": "a learning rate too large for the batch",
    "NC331": "a batch larger than the training set",
    "NC332": "a moving average longer than the training",
    "NC333": "a training that changes no parameter",
    "NC334": "a node that no output needs",
    "NC335": "an input that no node reads",
    "NC336": "a layer that does nothing",
    "NC337": "a computation that is done twice",
    "NC338": "a merge that reads one tensor twice",
    "NC339": "a block that nothing uses",
    "NC340": "a parameter that nothing reads",
    # Budgets.
    "NC401": "a budget is missed",
    "NC402": "a budget cannot be held against the network",
    "NC403": "a budget on growth has nothing to compare with",
    "NC404": "a budget is looser than it was",
    "NC405": "a suppression is new",
    "NC406": "a spec with budgets is gone",
    "NC407": "a spec that the revision cannot speak for",
    "NC408": "what the revision holds for a spec cannot be read",
    "NC409": "a glob of a budget matches fewer nodes than it did",
    "NC410": "a suppression keeps nothing quiet",
    "NC411": "a suppression names no code that can be suppressed",
}
"""Every code with its meaning. A code is permanent: it is never given another meaning."""

SET = "--set "
"""What stands before the path of an override where messages name a place."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a file: 1-based lines and columns, the end exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def virtual(self) -> bool:
        """Whether it is a value of an override, which stands in no file."""
        return self.file.startswith(SET)

    def __str__(self) -> str:
        """Return `file:line:column`, or what an override sets."""
        return self.file if self.virtual else f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that a finding has to do with, and what is to be said of it."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: a permanent code, what is wrong with both numbers, where, and the next step."""

    code: str
    message: str
    span: Span | None = None
    help: str = ""
    severity: Severity = "error"
    node: str = ""
    context: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()

    def __post_init__(self) -> None:
        """Bound the texts, whatever values of a spec they quote."""
        object.__setattr__(self, "message", cut(self.message, _LONGEST_TEXT))
        object.__setattr__(self, "help", cut(self.help, _LONGEST_TEXT))


_LONGEST_TEXT = 2_000

_LONGEST_WORD = 64


class SpecError(Exception):
    """The spec is wrong; carries every diagnostic that was found, not only the first."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(_one_line(d) for d in self.diagnostics))


class CannotRunError(Exception):
    """netcalc could not do its work although no spec is wrong: a missing file, an absent device."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


def cut(text: str, width: int = 60) -> str:
    """Return a value of a spec as messages show it: no longer than `width`."""
    return text if len(text) <= width else text[: width - 3] + "..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "did you mean `stride`?" for the closest known word, or the list if it is short."""
    known = list(known)
    # Comparing with each of many words, or with long ones, takes too long.
    if len(known) > 1_000 or len(word) > _LONGEST_WORD or any(len(k) > _LONGEST_WORD for k in known):
        return ""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    if 0 < len(known) <= 40:
        return "known: " + ", ".join(f"`{k}`" for k in known)
    return ""


def _one_line(d: Diagnostic) -> str:
    where = f"{d.span}: " if d.span else ""
    return f"{where}{d.severity}[{d.code}]: {d.message}" + (f" ({d.help})" if d.help else "")
