"""Expressions: what they mean, what they refuse, and that nothing large is computed."""

import ast
import math
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netcalc.spec.expressions import ExpressionError, evaluate, substitute

NAMES = {"w": 16, "x": 2.5, "flag": True, "mode": "fast", "depths": [3, 4, 6], "empty": [], "none": None}


def same(found, expected):
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("w + 1", 17),
        ("w - 20", -4),
        ("w * x", 40.0),
        ("w / 4", 4.0),
        ("w // 3", 5),
        ("-7 // 2", -4),
        ("-7 % 3", 2),
        ("7.5 % 2", 1.5),
        ("2 ** 10", 1024),
        ("2 ** -1", 0.5),
        ("2 ** 3 ** 2", 512),
        ("-2 ** 2", -4),
        ("10.0 ** 20", 1e20),
        ("+w", 16),
        ("- -w", 16),
        ("not flag", False),
        ("true and false", False),
        ("False or True", True),
        ("flag and w", 16),
        ("empty or none", None),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("3 > 2 > 1 >= 1 <= 1 != 2", True),
        ("mode == 'fast'", True),
        ('mode != "fast"', False),
        ("none == 1", False),
        ("1 == 1.0", True),
        ("1 if flag else 2", 1),
        ("1 if w < 3 else x", 2.5),
        ("1 if true else unknown", 1),
        ("false and 1 / 0 > 1", False),
        ("depths", [3, 4, 6]),
        ("depths[0]", 3),
        ("depths[-1]", 6),
        ("depths[w // 8]", 6),
        ("[w, [x, 1]][1][0]", 2.5),
        ("len(depths)", 3),
        ("len([])", 0),
        ("min(3, 1, 2)", 1),
        ("max(w, x)", 16),
        ("max(1, 1.5)", 1.5),
        ("round(2.5)", 3),
        ("round(3.5)", 4),
        ("round(-2.5)", -2),
        ("round(0.49999999999999994)", 0),
        ("round(9007199254740993)", 9007199254740993),
        ("ceil(2.1)", 3),
        ("ceil(-2.1)", -2),
        ("floor(-2.1)", -3),
        ("floor(7)", 7),
        ("0x10 + 0b11", 19),
        ("1_000", 1000),
        ("(((w)))", 16),
        ("9223372036854775806 + 1", 2**63 - 1),
        ("2 ** 62", 2**62),
        ("-(2 ** 62) - (2 ** 62 - 1)", -(2**63) + 1),
        ("1 ** 4000000000", 1),
        ("0 ** 0", 1),
        ("(-1) ** 9999999", -1),
        ("4294967296 * 2147483647", 4294967296 * 2147483647),
        ("'a'", "a"),
        ("  w  ", 16),
    ],
)
def test_value_and_type(expression, value):
    same(evaluate(expression, NAMES), value)


@pytest.mark.parametrize(
    "expression",
    [
        "9 ** 4000000",
        "2 ** 63",
        "-(2 ** 62) * 2",
        "(-2) ** 63",
        "10 ** 18 * 10 ** 18",
        "9223372036854775807 + 1",
        "9223372036854775808",
        "9" * 150,
        "1e400",
        "1e308 * 10",
        "1e308 + 1e308",
        "-1e308 * 1e10",
        "10.0 ** 400",
        "2 ** 1e9",
        "10 ** 18 ** 18",
        "w ** w ** w ** w",
        "round(1e30)",
        "ceil(1e300)",
        "multiple(1e30)",
        "min(1, big)",
        "floor(nan)",
        "big - big",
    ],
)
def test_what_goes_beyond_64_bits_is_refused_before_it_is_computed(expression):
    with pytest.raises(ExpressionError, match="beyond 64 bits"):
        evaluate(expression, {**NAMES, "big": math.inf, "nan": math.nan})


@pytest.mark.parametrize("expression", ["1 / 0", "1 // 0", "5 % 0", "0 ** -1", "1.0 / (x - 2.5)", "0.0 ** -2"])
def test_division_by_zero(expression):
    with pytest.raises(ExpressionError, match="divides by zero"):
        evaluate(expression, NAMES)


@pytest.mark.parametrize(
    "expression",
    [
        "1 << 5",
        "1 >> 5",
        "1 | 2",
        "1 & 2",
        "1 ^ 2",
        "~1",
        "w @ w",
        "mode * 3",
        "3 * mode",
        "depths * 3",
        "depths + depths",
        "mode + 'er'",
        "-mode",
        "mode < 'g'",
        "none + 1",
        "'%s' % 1",
        "mode[0]",
        "depths[1.0]",
        "depths[3]",
        "depths[-4]",
        "depths['a']",
        "depths[0:1]",
        "1 is 1",
        "3 in depths",
        "3 not in depths",
        "w.bit_length()",
        "mode.upper",
        "().__class__.__bases__",
        "__import__('os')",
        "__builtins__",
        "print(1)",
        "eval('1')",
        "lambda: 1",
        "(lambda: 1)()",
        "[i for i in depths]",
        "(i for i in depths)",
        "{1: 2}",
        "{1, 2}",
        "(1, 2)",
        "(w := 3)",
        "f'{w}'",
        "b'x'",
        "1j",
        "None",
        "...",
        "*depths",
        "min(*depths)",
        "max(1, key=2)",
        "min(1)",
        "min(depths)",
        "max()",
        "min(" + ", ".join(["1"] * 17) + ")",
        "len(3)",
        "len(mode)",
        "len(depths, depths)",
        "round(2.567, 1)",
        "round(depths)",
        "multiple(10, 0)",
        "multiple(10, -8)",
        "multiple(10, 2.5)",
        "multiple(10, 8, 1)",
        "(-8) ** 0.5",
        "min",
        "w w",
        "w; w",
        "w = 3",
        "import os",
        "",
        "   ",
        "w +",
        "(w",
        "1 +\n1",
        "\x00",
        "unknown",
        "1 if flag",
        "yield 1",
        "await w",
    ],
)
def test_what_is_no_expression_of_a_spec_is_refused(expression):
    with pytest.raises(ExpressionError) as error:
        evaluate(expression, NAMES)
    assert "beyond 64 bits" not in str(error.value)
    assert "object at 0x" not in str(error.value) + error.value.help


def test_an_unknown_parameter_and_function_are_suggested():
    for expression, close in [("depth[0]", "depths"), ("mulitple(3, 8)", "multiple"), ("Max(1, 2)", "max")]:
        with pytest.raises(ExpressionError) as error:
            evaluate(expression, NAMES)
        assert error.value.help == f"did you mean `{close}`?"


def test_the_length_limit_is_exact():
    assert evaluate("1" + " " * 198 + "1"[:0], {}) == 1
    assert evaluate("1 +" + " " * 196 + "1", {}) == 2
    with pytest.raises(ExpressionError, match="201 characters"):
        evaluate("1 +" + " " * 197 + "1", {})


@pytest.mark.parametrize(
    "expression",
    ["(" * 99 + "1" + ")" * 99, "-" * 199 + "1", "not " * 49 + "1", "~" * 199 + "1", "[" * 99 + "]" * 99],
)
@pytest.mark.parametrize("frames", [0, 600])
def test_deep_nesting_gives_a_value_or_an_error(expression, frames):
    """Also where little of Python's stack is left, as in a caller that is deep itself."""

    def called_from_below(depth):
        return called_from_below(depth - 1) if depth else evaluate(expression, {})

    with suppress(ExpressionError):
        called_from_below(frames)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$w", 16),
        ("$flag", True),
        ("$x", 2.5),
        ("$depths", [3, 4, 6]),
        ("$none", None),
        ("$(w * 2)", 32),
        ("$((w))", 16),
        ("$w ", "16 "),
        ("stage$w", "stage16"),
        ("${w}", "${w}"),
        ("$w-$mode", "16-fast"),
        ("$(w)x$(w)", "16x16"),
        ("$$w", "$w"),
        ("$$", "$"),
        ("$$$w", "$16"),
        ("costs $5", "costs $5"),
        ("$", "$"),
        ("a$ b", "a$ b"),
        ("$wx", None),
    ],
)
def test_references_inside_text(text, value):
    if text == "$wx":
        with pytest.raises(ExpressionError, match="`wx` is not a parameter"):
            substitute(text, NAMES)
    else:
        same(substitute(text, NAMES), value)


@pytest.mark.parametrize("text", ["a$depths", "$depths$w", "x$none"])
def test_a_list_or_null_cannot_stand_inside_text(text):
    with pytest.raises(ExpressionError):
        substitute(text, NAMES)


@pytest.mark.parametrize("text", ["$(w", "$((w)", "x$(", "$(w)$(w"])
def test_an_open_bracket_is_explained(text):
    with pytest.raises(ExpressionError, match="no closing bracket") as error:
        substitute(text, NAMES)
    assert "quote" in error.value.help


def test_text_does_not_grow_without_bound():
    names = {"long": "x" * 600}
    assert substitute("$long", names) == "x" * 600
    with pytest.raises(ExpressionError, match="1,000 characters"):
        substitute("$long$long", names)


numbers = st.integers(-50, 50).map(str) | st.floats(-50, 50).map(lambda value: repr(round(value, 2)))
arithmetic = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        inner.map(lambda text: f"(-{text})"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda p: f"{p[0]}({p[1]}, {p[2]})"),
        st.tuples(inner, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        inner.map(lambda text: f"(not {text})"),
    ),
    max_leaves=6,
)


@given(arithmetic)
def test_arithmetic_agrees_with_python(expression):
    assume(len(expression) <= 200)
    try:
        found = evaluate(expression, {})
    except ExpressionError as error:
        found = str(error)
    if "**" in expression and "beyond 64 bits" in str(found):
        return  # Python would compute it, however large.
    try:
        expected = eval(expression, {"__builtins__": {"min": min, "max": max}})
    except ZeroDivisionError:
        assert "divides by zero" in found
    else:
        if isinstance(found, str):
            assert isinstance(expected, complex) or "beyond 64 bits" in found
            assert "no fractional power" in found or max(abs(part) for part in parts(expression)) >= 2**63
        else:
            same(found, expected)


def parts(expression):
    """Yield Python's value of every part of an expression."""
    for node in filter(lambda node: isinstance(node, ast.expr), ast.walk(ast.parse(expression))):
        with suppress(ZeroDivisionError):
            yield eval(ast.unparse(node), {"__builtins__": {"min": min, "max": max}})


def make_divisible(v, divisor, min_value=None):
    """The function of the MobileNet paper's code (tensorflow/models, research/slim/nets/mobilenet)."""
    if min_value is None:
        min_value = divisor
    new_v = max(min_value, int(v + divisor / 2) // divisor * divisor)
    # Make sure that round down does not go down by more than 10%.
    if new_v < 0.9 * v:
        new_v += divisor
    return new_v


@given(st.integers(1, 5000) | st.floats(0.1, 5000), st.integers(1, 64))
def test_multiple_is_make_divisible(value, divisor):
    found = evaluate("multiple(v, d)", {"v": value, "d": divisor})
    same(found, make_divisible(value, divisor))
    assert found % divisor == 0
    assert found >= 0.9 * value


@pytest.mark.parametrize(
    ("width", "channels"), [(0.35, [16, 8, 8, 16]), (0.75, [24, 16, 24, 24]), (1.4, [48, 24, 32, 48])]
)
def test_multiple_gives_the_widths_of_mobilenet_v2(width, channels):
    """Channels 32, 16, 24 and 32 under the published width multipliers."""
    found = [evaluate("multiple(c * width, 8)", {"c": c, "width": width}) for c in (32, 16, 24, 32)]
    assert found == channels


def test_multiple_goes_down_by_exactly_a_tenth():
    assert evaluate("multiple(80, 72)", {}) == make_divisible(80, 72) == 72


def test_multiple_is_by_eight_unless_told():
    assert evaluate("multiple(33)", {}) == evaluate("multiple(33, 8)", {}) == 32


def test_and_and_or_give_an_operand():
    assert evaluate("a or 8", {"a": 0}) == 8
    assert evaluate("a and 8", {"a": 0}) == 0
    assert evaluate("a or 8", {"a": 3}) == 3


def test_a_bracket_in_a_string_closes_nothing():
    assert substitute("$(flag == ')')", {"flag": ")"}) is True


def test_lists_are_not_compared():
    with pytest.raises(ExpressionError, match="single values"):
        evaluate("a == a", {"a": [1] * 1_000})
