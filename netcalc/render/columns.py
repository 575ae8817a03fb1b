"""The columns of a report's rows: what each holds, how it is written, ordered and added up.

A new column is one entry of `COLUMNS`. What is not known is None in every kind of column: `?` for people, an empty
cell for programs, last in any order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from netcalc.analysis.estimate import NodeSeconds
from netcalc.analysis.report import AxisReach, LayerReport, Params, Report
from netcalc.diagnostics import CannotRunError, cut, did_you_mean
from netcalc.render.figures import UNKNOWN
from netcalc.render.printable import printable
from netcalc.render.rows import Row
from netcalc.units import format_shape

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """How values of one kind are written for people and for programs, and by what they are ordered.

    Words stand flush left, may be folded on a narrow terminal and are sorted from a to z; all else is a figure:
    flush right, never cut, and sorted from large to small.
    """

    for_people: Callable[[T], str]
    for_programs: Callable[[T], str | int | float]
    rank: Callable[[T], Any]
    is_word: bool = False


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column: `of` gives a row's value, `total` the network's where the values of rows add up to one."""

    name: str
    heading: str
    meaning: str
    kind: Kind[T]
    of: Callable[[Row, Report], T | None]
    total: Callable[[Report], T | None] | None = None
    key: str = ""
    """The heading in CSV, where it is another than the name: the keys of the JSON report, joined."""

    @property
    def header(self) -> str:
        """The heading in CSV."""
        return self.key or self.name

    def cells(self, rows: Iterable[Row], report: Report) -> list[str]:
        """Return the rows' values as people read them."""
        of, write = self.of, self.kind.for_people
        return [UNKNOWN if (value := of(row, report)) is None else write(value) for row in rows]

    def total_cell(self, report: Report) -> str:
        """Return the network's value as people read it, nothing where there is none."""
        if self.total is None:
            return ""
        value = self.total(report)
        return UNKNOWN if value is None else self.kind.for_people(value)

    def fields(self, rows: Iterable[Row], report: Report) -> list[str | int | float]:
        """Return the rows' values as programs read them."""
        of, write = self.of, self.kind.for_programs
        return ["" if (value := of(row, report)) is None else write(value) for row in rows]


def column_named(name: str) -> Column[Any]:
    """Return a column by its name or its heading in CSV; raises CannotRunError if there is none."""
    wanted = name.strip().lower()
    for column in COLUMNS:
        if wanted in (column.name, column.header):
            return column
    names = [column.name for column in COLUMNS]
    close = did_you_mean(wanted, names)
    guess = f"{close} " if close.startswith("did you mean") else ""
    raise CannotRunError(f"unknown column `{cut(name.strip())}`", f"{guess}columns: {', '.join(names)}")


def columns_named(names: str) -> tuple[Column[Any], ...]:
    """Return the columns of a comma-separated list in its order, every column for `all`; raises CannotRunError."""
    wanted = [name.strip() for name in names.split(",")]
    if "all" in map(str.lower, wanted):
        if len(wanted) > 1:
            raise CannotRunError("`all` stands for every column", "name it alone, or name the columns one by one")
        return COLUMNS
    chosen: list[Column[Any]] = []
    for name in wanted:
        column = column_named(name)
        if column in chosen:
            raise CannotRunError(f"column `{column.name}` is named twice", "name each column once")
        chosen.append(column)
    return tuple(chosen)


def _natural(text: str) -> list[str | int]:
    """Return what sorts `conv2` before `conv10`; digits are read in stretches, a long number is no work."""
    return [int(part) if index % 2 else part for index, part in enumerate(re.split(r"(\d{1,18})", text))]


def _decimal(value: float) -> str:
    return f"{int(value) if value == int(value) else value:,}"


def _plain(value: float) -> str:
    return str(int(value) if value == int(value) else value)


def _by_axis(write: Callable[[T], str], cross: str) -> Callable[[tuple[T, ...]], str]:
    """Return how values along the axes are written: once where all agree."""
    return lambda axes: cross.join(map(write, axes[:1] if len(set(axes)) == 1 else axes))


def _ends(write: Callable[[float], str]) -> Callable[[tuple[float, float]], str]:
    """Return how padding is written: `before/behind`, or once where both agree."""
    return lambda ends: write(ends[0]) if ends[0] == ends[1] else "/".join(map(write, ends))


WORD: Kind[str] = Kind(printable, str, _natural, is_word=True)
FLAG: Kind[bool] = Kind(
    lambda flag: "yes" if flag else "", lambda flag: "true" if flag else "false", int, is_word=True
)
NUMBER: Kind[int] = Kind(str, int, int)
COUNT: Kind[int] = Kind("{:,}".format, int, int)
PERCENT: Kind[float] = Kind("{:.2f}".format, float, float)
MILLISECONDS: Kind[float] = Kind(lambda seconds: f"{1e3 * seconds:,.3f}", float, float)
RATIO: Kind[float] = Kind("{:,.1f}".format, float, float)
SHAPE: Kind[tuple[int, ...]] = Kind(format_shape, lambda shape: "x".join(map(str, shape)), math.prod)
AXES: Kind[tuple[float, ...]] = Kind(_by_axis(_decimal, "×"), _by_axis(_plain, "x"), max)
PADDING: Kind[tuple[tuple[float, float], ...]] = Kind(
    _by_axis(_ends(_decimal), "×"), _by_axis(_ends(_plain), "x"), lambda axes: max(map(sum, axes))
)


def _first(fact: Callable[[LayerReport], T]) -> Callable[[Row, Report], T]:
    """Return a fact of the first node of a row."""
    return lambda row, _: fact(row.layers[0])


def _last(fact: Callable[[LayerReport], T]) -> Callable[[Row, Report], T]:
    """Return a fact of the last node of a row."""
    return lambda row, _: fact(row.layers[-1])


def _sum(figure: Callable[[LayerReport], int | None]) -> Callable[[Row, Report], int | None]:
    """Return the sum of a figure over the nodes of a row, unknown where it is for one of them."""

    def added(row: Row, _: Report) -> int | None:
        if len(row.layers) == 1:  # nearly always
            return figure(row.layers[0])
        total = 0
        for layer in row.layers:
            value = figure(layer)
            if value is None:
                return None
            total += value
        return total

    return added


def _total_of(figure: Callable[[LayerReport], float | None]) -> Callable[[Row, Report], float | None]:
    """Return the sum of a measured figure over the nodes of a row, unknown where it is for one of them."""

    def added(row: Row, _: Report) -> float | None:
        values = [figure(layer) for layer in row.layers]
        return None if None in values else math.fsum(value for value in values if value is not None)

    return added


def _slowest_node(row: Row) -> NodeSeconds | None:
    timed = [layer.seconds for layer in row.layers if layer.seconds is not None]
    return max(timed, key=lambda seconds: seconds.training, default=None)


def _slowest(row: Row, _: Report) -> str | None:
    node = _slowest_node(row)
    return None if node is None else node.binds or ""


def _slowest_intensity(row: Row, _: Report) -> float | None:
    node = _slowest_node(row)
    return None if node is None else node.intensity


def _total_weights(report: Report) -> int | None:
    memory = report.totals.memory
    return memory.training.parts.weights if memory and memory.training else None


def _percent(
    figure: Callable[[LayerReport], int | None], whole: Callable[[Report], int | None]
) -> Callable[[Row, Report], float | None]:
    """Return the share of the network's total that the nodes of a row have, in %; a total of 0 has no shares."""
    part_of = _sum(figure)

    def share(row: Row, report: Report) -> float | None:
        part, total = part_of(row, report), whole(report)
        return 100 * part / total if part is not None and total else None

    return share


def _hundred(whole: Callable[[Report], int | None]) -> Callable[[Report], float | None]:
    return lambda report: 100.0 if whole(report) else None


def _params(params: Params) -> int | None:
    if params.trainable is None or params.frozen is None:
        return None
    return params.trainable + params.frozen


def _inputs(row: Row, _: Report) -> str:
    """Return the names that a row reads from without, each once."""
    inside = {layer.name for layer in row.layers}
    names = (name for layer in row.layers for name in layer.inputs if name not in inside)
    # A node may read another twice, and says so; of a block the sources are of interest.
    return " ".join(row.layers[0].inputs if len(row.layers) == 1 else dict.fromkeys(names))


def _owners(row: Row, _: Report) -> str:
    inside = {layer.name for layer in row.layers}
    return " ".join(dict.fromkeys(o for layer in row.layers if (o := layer.shares) is not None and o not in inside))


def _macs_at_inference(layer: LayerReport) -> int | None:
    return 0 if layer.train_only else layer.macs.forward


def _reach(fact: Callable[[AxisReach], T]) -> Callable[[Row, Report], tuple[T, ...] | None]:
    """Return a fact of the receptive field of the last node of a row, for every axis."""

    def along_axes(row: Row, _: Report) -> tuple[T, ...] | None:
        reach = row.layers[-1].receptive_field
        return None if reach is None else tuple(map(fact, reach.axes))

    return along_axes


def _total_params(report: Report) -> int | None:
    return _params(report.totals.params)


def _total_macs(report: Report) -> int | None:
    return report.totals.macs.forward


COLUMNS: tuple[Column[Any], ...] = (
    Column("name", "name", "the node; a block has the name of its group", WORD, lambda row, _: row.name),
    Column("type", "type", "the layer, or `block`", WORD, lambda row, _: row.type),
    Column("path", "path", "JSON pointer in the file; of a block's first node", WORD, _first(lambda n: n.path)),
    Column("file", "file", "the file that it is written in; of a block's first node", WORD,
           _first(lambda n: n.source.file)),
    Column("line", "line", "the line that it is written in; of a block's first node", NUMBER,
           _first(lambda n: n.source.line)),
    Column("inputs", "inputs", "the nodes and inputs that it reads; those outside a block", WORD, _inputs),
    Column("output", "output", "the output's shape without batch; of a block's last node", SHAPE,
           _last(lambda n: None if n.output is None else n.output.shape)),
    Column("dtype", "dtype", "the output's dtype; of a block's last node", WORD,
           _last(lambda n: None if n.output is None else n.output.dtype)),
    Column("trainable", "trainable", "trained parameters", COUNT, _sum(lambda n: n.params.trainable),
           lambda report: report.totals.params.trainable, "params_trainable"),
    Column("frozen", "frozen", "frozen parameters", COUNT, _sum(lambda n: n.params.frozen),
           lambda report: report.totals.params.frozen, "params_frozen"),
    Column("state", "state", "elements that training updates without a gradient", COUNT,
           _sum(lambda n: n.params.state), lambda report: report.totals.params.state, "params_state"),
    Column("macs", "MACs", "forward MACs", COUNT, _sum(lambda n: n.macs.forward), _total_macs, "macs_forward"),
    Column("flops", "FLOPs", "forward FLOPs", COUNT, _sum(lambda n: n.flops.forward),
           lambda report: report.totals.flops.forward, "flops_forward"),
    Column("padding_exact_macs", "padding-exact MACs", "forward MACs without taps that fall on padding", COUNT,
           _sum(lambda n: n.macs.padding_exact), lambda report: report.totals.macs.padding_exact,
           "macs_padding_exact"),
    Column("training_macs", "training MACs", "MACs of the forward pass and of both gradients", COUNT,
           _sum(lambda n: n.macs.training), lambda report: report.totals.macs.training, "macs_training"),
    Column("training_flops", "training FLOPs", "FLOPs of the forward and backward pass in training", COUNT,
           _sum(lambda n: n.flops.training), lambda report: report.totals.flops.training, "flops_training"),
    Column("params", "params", "parameters, trained and frozen", COUNT, _sum(lambda n: _params(n.params)),
           _total_params),
    Column("params_percent", "params %", "share of the network's parameters", PERCENT,
           _percent(lambda n: _params(n.params), _total_params), _hundred(_total_params)),
    Column("macs_percent", "MACs %", "share of the network's forward MACs; train-only heads have none", PERCENT,
           _percent(_macs_at_inference, _total_macs), _hundred(_total_macs)),
    Column("weights_bytes", "weights B", "bytes of its parameters; with --device or --batch, as the next", COUNT,
           _sum(lambda n: n.memory.weights_bytes if n.memory else None), _total_weights, "memory_weights_bytes"),
    Column("alive_bytes", "alive at peak B", "bytes of its tensors that are alive at the peak of a training step",
           COUNT, _sum(lambda n: n.memory.alive_bytes if n.memory else None), key="memory_alive_bytes"),
    Column("training_seconds", "training ms", "least time in a training step, by the roofline; with --device",
           MILLISECONDS, _total_of(lambda n: n.seconds.training if n.seconds else None),
           lambda report: report.totals.seconds.training_step if report.totals.seconds else None,
           "seconds_training"),
    Column("inference_seconds", "inference ms", "least time at inference, by the roofline; with --device",
           MILLISECONDS, _total_of(lambda n: n.seconds.inference if n.seconds else None),
           lambda report: report.totals.seconds.inference_batch if report.totals.seconds else None,
           "seconds_inference"),
    Column("binds", "binds", "what sets most of its time: compute, bandwidth or launch; of a block's slowest node",
           WORD, _slowest),
    Column("intensity", "FLOP/B", "FLOPs of products a byte of memory traffic; of a block's slowest node", RATIO,
           _slowest_intensity),
    Column("layers", "layers", "nodes in the row", COUNT, lambda row, _: len(row.layers),
           lambda report: len(report.layers)),
    Column("receptive_field", "RF", "receptive field; of a block's last node, as the three that follow", AXES,
           _reach(lambda axis: axis.size), key="receptive_field_size"),
    Column("stride", "RF stride", "effective stride: input positions from one output to the next", AXES,
           _reach(lambda axis: axis.stride), key="receptive_field_stride"),
    Column("padding", "RF padding", "effective padding, `before/behind` where they differ", PADDING,
           _reach(lambda axis: axis.padding), key="receptive_field_padding"),
    Column("centre", "RF centre", "the input position in the middle of what output 0 sees", AXES,
           _reach(lambda axis: axis.centre), key="receptive_field_centre"),
    Column("shares", "shares", "the node whose parameters it uses", WORD, _owners),
    Column("train_only", "train only", "part of an auxiliary head, not in forward totals", FLAG,
           lambda row, _: all(layer.train_only for layer in row.layers)),
)  # fmt: skip
"""Every column; CSV has them all, in this order."""
