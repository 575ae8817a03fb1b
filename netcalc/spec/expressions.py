"""`$name` and `$(expression)` in specs: arithmetic over parameters, bounded and without eval.

An expression is parsed by Python's `ast` and walked by the whitelist below. Nothing is computed before its size is
known to be small: integers stay within 64 bits, strings and lists do not repeat, and the text has a length limit.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from netcalc.diagnostics import cut, did_you_mean

MAX_LENGTH = 200
MAX_TEXT = 1_000
"""Characters of a text that expressions are put into."""

_LIMIT = 2**63

Value: TypeAlias = int | float | bool | str | list[Any] | None


class ExpressionError(ValueError):
    """The expression cannot be evaluated; `help` names the way out."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


class UnknownValueError(ExpressionError):
    """The expression reads a parameter that has no value because of an error reported elsewhere."""


UNKNOWN: Any = object()
"""Stands for the value of a parameter whose own expression cannot be evaluated."""

_REFERENCE = re.compile(r"\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|(\())")

_TOKEN = re.compile(r"""[()]|'[^']*'|"[^"]*\"""")
"""Brackets, and strings, within which a bracket counts for nothing."""


def has_expression(text: str) -> bool:
    """Tell whether the text holds a `$`."""
    return "$" in text


def substitute(text: str, names: Mapping[str, Value]) -> Value:
    """Return the text with its expressions replaced; a text that is one expression keeps the value's type.

    `$$` stands for a dollar sign. Raises ExpressionError.
    """
    parts: list[Value] = []
    position = 0
    while match := _REFERENCE.search(text, position):
        if match.start() > position:
            parts.append(text[position : match.start()])
        position = match.end()
        if match[1]:
            parts.append("$")
        elif match[2]:
            parts.append(_lookup(match[2], names))
        else:
            end = _closing(text, position)
            parts.append(evaluate(text[position:end], names))
            position = end + 1
    if position == 0:
        return text
    if position < len(text):
        parts.append(text[position:])
    if len(parts) == 1:
        return parts[0]
    if any(isinstance(part, list) or part is None for part in parts):
        raise ExpressionError("a list cannot stand inside other text")
    texts = [str(part) for part in parts]
    if sum(map(len, texts)) > MAX_TEXT:
        raise ExpressionError(f"the text would have more than {MAX_TEXT:,} characters")
    return "".join(texts)


def evaluate(expression: str, names: Mapping[str, Value]) -> Value:
    """Return the value of an expression over `names`; raises ExpressionError."""
    if len(expression) > MAX_LENGTH:
        raise ExpressionError(f"the expression has {len(expression)} characters; the limit is {MAX_LENGTH}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError(f"`{expression}` is not an expression") from error
    try:
        return _checked(_walk(tree.body, names))
    except ZeroDivisionError as error:
        raise ExpressionError(f"`{expression}` divides by zero") from error
    except OverflowError as error:
        raise ExpressionError(f"`{expression}` goes beyond 64 bits") from error
    except RecursionError as error:
        raise ExpressionError(f"`{expression}` nests too deep") from error


def _closing(text: str, start: int) -> int:
    depth = 1
    for match in _TOKEN.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.start()
    raise ExpressionError(
        "`$(` has no closing bracket", help="quote an expression that holds a comma inside { } or [ ]"
    )


def _lookup(name: str, names: Mapping[str, Value]) -> Value:
    if name not in names:
        help = did_you_mean(name, names) if names else "declare it under `params:`"
        raise ExpressionError(f"`{name}` is not a parameter here", help=help)
    value = names[name]
    if value is UNKNOWN:
        raise UnknownValueError(f"`{name}` has no value")
    return value


def _checked(value: Value) -> Value:
    if isinstance(value, int) and abs(value) >= _LIMIT:
        raise OverflowError
    if isinstance(value, float) and not math.isfinite(value):
        raise OverflowError
    return value


def _number(value: Value) -> int | float:
    if isinstance(value, int | float):
        return value
    what = "a list" if isinstance(value, list) else "null" if value is None else f"`{cut(str(value))}`"
    raise ExpressionError(f"{what} is not a number")


def _multiply(left: int | float, right: int | float) -> int | float:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > 64:
        raise OverflowError
    return left * right


def _power(base: int | float, exponent: int | float) -> int | float:
    if isinstance(base, int) and isinstance(exponent, int) and exponent * math.log2(max(abs(base), 1)) > 64:
        raise OverflowError
    result: object = base**exponent
    if not isinstance(result, int | float):
        raise ExpressionError("a negative number has no fractional power")
    return result


_BINARY: dict[type[ast.operator], Callable[[int | float, int | float], int | float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: _multiply,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def _multiple(value: int | float, divisor: int | float = 8) -> int:
    """Nearest multiple, at least the divisor and never under 90 % of the value (MobileNet's make_divisible)."""
    step = int(divisor)
    nearest = max(step, int(value + step / 2) // step * step)
    return nearest + step if nearest < 0.9 * value else nearest


def _half_up(value: int | float) -> int:
    below = math.floor(value)
    return below + (value - below >= 0.5)


_NUMERIC: dict[str, tuple[Callable[..., int | float], range]] = {
    "min": (min, range(2, 17)),
    "max": (max, range(2, 17)),
    "round": (_half_up, range(1, 2)),
    "ceil": (math.ceil, range(1, 2)),
    "floor": (math.floor, range(1, 2)),
    "multiple": (_multiple, range(1, 3)),
}
FUNCTIONS = (*_NUMERIC, "len")


def _walk(node: ast.expr, names: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=value) if isinstance(value, int | float | str | bool):
            return _checked(value)
        case ast.Name(id=("true" | "True")):
            return True
        case ast.Name(id=("false" | "False")):
            return False
        case ast.Name(id=name):
            return _checked(_lookup(name, names))
        case ast.List(elts=items):
            return [_walk(item, names) for item in items]
        case ast.Subscript(value=target, slice=index):
            return _index(_walk(target, names), _walk(index, names))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _walk(operand, names)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(_walk(operand, names))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _number(_walk(operand, names))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            function = _BINARY[type(op)]
            return _checked(function(_number(_walk(left, names)), _number(_walk(right, names))))
        case ast.BoolOp(op=ast.And(), values=values):
            return _first_that(values, names, wanted=False)
        case ast.BoolOp(op=ast.Or(), values=values):
            return _first_that(values, names, wanted=True)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _walk(body if _walk(test, names) else orelse, names)
        case ast.Compare(left=left, ops=ops, comparators=rights):
            return _compare(_walk(left, names), ops, [_walk(right, names) for right in rights])
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return _call(name, [_walk(arg, names) for arg in args])
        case _:
            raise ExpressionError(
                f"`{ast.unparse(node)}` has no meaning in a spec",
                help="numbers, parameters, + - * / // % **, comparisons, and/or/not, if-else, lists and "
                + ", ".join(FUNCTIONS),
            )


def _first_that(nodes: Sequence[ast.expr], names: Mapping[str, Value], *, wanted: bool) -> Value:
    """Return the first operand that holds (`or`) or does not (`and`), else the last, as Python does."""
    for node in nodes[:-1]:
        value = _walk(node, names)
        if bool(value) is wanted:
            return value
    return _walk(nodes[-1], names)


def _compare(left: Value, ops: Sequence[ast.cmpop], rights: Sequence[Value]) -> bool:
    for op, right in zip(ops, rights, strict=True):
        if isinstance(op, ast.Eq | ast.NotEq):
            if isinstance(left, list) or isinstance(right, list):
                raise ExpressionError("== and != compare single values, not lists")
            holds = (left == right) is isinstance(op, ast.Eq)
        elif type(op) in _ORDER:
            holds = _ORDER[type(op)](_number(left), _number(right))
        else:
            raise ExpressionError("compare with == != < <= > >=")
        if not holds:
            return False
        left = right
    return True


def _index(target: Value, index: Value) -> Value:
    if not isinstance(target, list) or not isinstance(index, int):
        raise ExpressionError("an index needs a list and a whole number")
    if not -len(target) <= index < len(target):
        raise ExpressionError(f"index {index} is outside a list of {len(target)}")
    item: Value = target[index]
    return item


def _call(name: str, args: list[Value]) -> Value:
    if name == "len":
        if len(args) != 1 or not isinstance(args[0], list):
            raise ExpressionError("len takes one list")
        return len(args[0])
    if name not in _NUMERIC:
        raise ExpressionError(f"unknown function `{name}`", help=did_you_mean(name, FUNCTIONS))
    function, counts = _NUMERIC[name]
    if len(args) not in counts:
        raise ExpressionError(f"`{name}` takes {counts.start} to {counts.stop - 1} values, not {len(args)}")
    if name == "multiple" and len(args) == 2 and not (isinstance(args[1], int) and args[1] > 0):
        raise ExpressionError("`multiple` needs a positive whole divisor")
    return _checked(function(*map(_number, args)))
