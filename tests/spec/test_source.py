"""YAML text to spanned trees: values, places, and what is refused."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from netcalc.diagnostics import SpecError
from netcalc.spec.source import MAX_DEPTH, YamlDict, YamlList, YamlScalar, core_scalar, parse_yaml, plain


def refusal(text):
    """Return the one diagnostic that a text is refused with."""
    with pytest.raises(SpecError) as error:
        parse_yaml(text, "net.yaml")
    (diagnostic,) = error.value.diagnostics
    return diagnostic


def place(node):
    """Return line, column, end line and end column of a tree."""
    return node.span.line, node.span.column, node.span.end_line, node.span.end_column


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("+12", 12),
        ("-0", 0),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("0X1F", "0X1F"),
        ("-0x1F", "-0x1F"),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("3:2", "3:2"),
        ("1:30:00", "1:30:00"),
        ("12e03", 12000.0),
        (".5", 0.5),
        ("5.", 5.0),
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("True", True),
        ("tRue", "tRue"),
        ("~", None),
        ("NULL", None),
        ("nuLL", "nuLL"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("inf", "inf"),
        ("nan", "nan"),
        ("2001-12-14", "2001-12-14"),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", 2.0**63),
        ("-9223372036854775807", -(2**63) + 1),
        ("0x7FFFFFFFFFFFFFFF", 2**63 - 1),
        ("0xFFFFFFFFFFFFFFFFFF", float(2**72 - 1)),
        ("0000000000000000000000000042", 42),
    ],
)
def test_plain_scalars_follow_the_core_schema(text, value):
    tree = parse_yaml(f"x: {text}", "net.yaml")
    found = tree.entries["x"].value
    assert found == value
    assert type(found) is type(value)


def test_nan_and_an_empty_value():
    found = plain(parse_yaml("a: .nan\nb:\n", "net.yaml"))
    assert math.isnan(found["a"])
    assert found["b"] is None


@pytest.mark.parametrize("digits", [60, 400, 5_000, 100_000])
def test_a_huge_integer_is_a_float_and_costs_nothing(digits):
    value = core_scalar("9" * digits)
    assert type(value) is float
    assert value > 1e59


@pytest.mark.parametrize("quoted", ["'5'", '"5"', "'true'", '"~"', "''", "|-\n  5", ">-\n  5"])
def test_quoted_and_block_scalars_stay_strings(quoted):
    assert type(parse_yaml(f"x: {quoted}", "net.yaml").entries["x"].value) is str


@given(st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False))
def test_a_number_survives_being_written_and_read(number):
    found = core_scalar(repr(number).replace("inf", ".inf"))
    assert found == number
    assert type(found) is type(number)


def test_spans_of_keys_and_values_are_one_based_with_the_end_exclusive():
    tree = parse_yaml("name: lenet\nlayers:\n  - conv: {filters: 16, kernel: [3, 5]}\n", "net.yaml")
    assert place(tree.entries["name"]) == (1, 7, 1, 12)
    key = tree.keys["layers"]
    assert (key.file, key.line, key.column, key.end_column) == ("net.yaml", 2, 1, 7)
    (node,) = tree.entries["layers"].items
    fields = node.entries["conv"]
    assert place(fields) == (3, 11, 3, 40)
    assert (fields.keys["kernel"].column, fields.keys["kernel"].end_column) == (25, 31)
    assert place(fields.entries["filters"]) == (3, 21, 3, 23)
    assert place(fields.entries["kernel"]) == (3, 33, 3, 39)


def test_columns_count_characters_not_bytes():
    tree = parse_yaml('{"größe–🙂": 1, x: 2}', "net.yaml")
    assert place(tree.entries["x"]) == (1, 19, 1, 20)


def test_a_byte_order_mark_does_not_move_the_first_line():
    tree = parse_yaml("\ufeffname: x\n", "net.yaml")
    assert plain(tree) == {"name": "x"}
    assert tree.keys["name"].line == 1


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "---\n...\n"])
def test_text_without_a_value_is_null(text):
    assert plain(parse_yaml(text, "net.yaml")) is None


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1),
        ("x: {k: 1,\n  k: 2}\n", 2, 3),
        ("1: a\n'1': b\n", 2, 1),
        ("- {<<: 1, <<: 2}\n", 1, 11),
    ],
)
def test_a_duplicate_key_names_both_lines(text, line, column):
    found = refusal(text)
    assert (found.code, found.span.line, found.span.column) == ("NC003", line, column)
    assert "first at line 1" in found.message


def test_the_same_key_in_two_mappings_is_no_duplicate():
    assert plain(parse_yaml("a: {k: 1}\nb: {k: 2, a: 3}\n", "net.yaml")) == {"a": {"k": 1}, "b": {"k": 2, "a": 3}}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: !!str 5\n", 1),
        ("a: 1\nb: !!python/object/apply:os.system ['true']\n", 2),
        ("a: !mine {b: 1}\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("? [a, b]\n: 1\n", 1),
        ("x:\n  ? {a: b}\n  : 1\n", 2),
        ("a: &k key\n*k : 1\n", 2),
    ],
)
def test_features_outside_the_language(text, line):
    found = refusal(text)
    assert (found.code, found.span.line) == ("NC004", line)


def test_an_alias_stands_for_its_anchor_and_keeps_the_place_of_the_text():
    tree = parse_yaml("a: &k [1, {b: 2}]\nc: *k\nd: [*k]\n", "net.yaml")
    assert plain(tree) == {"a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": [[1, {"b": 2}]]}
    assert tree.entries["c"].span == tree.entries["a"].span


def test_an_anchor_on_a_key_can_be_used():
    assert plain(parse_yaml("&k name: 1\nx: *k\n", "net.yaml")) == {"name": 1, "x": "name"}


def test_an_anchor_may_be_defined_anew():
    assert plain(parse_yaml("[&a 1, *a, &a 2, *a]", "net.yaml")) == [1, 1, 2, 2]


@pytest.mark.parametrize("text", ["a: *missing\n", "a: &x [1, *x]\n", "a: &x {b: {c: *x}}\n"])
def test_an_alias_needs_a_finished_anchor_before_it(text):
    found = refusal(text)
    assert (found.code, found.span.line) == ("NC002", 1)
    assert "has no anchor" in found.message


@pytest.mark.parametrize("unit", ["[{}]", "{{k: {}}}", "- {}"])
def test_nesting_is_allowed_up_to_the_limit(unit):
    def nested(levels):
        text = "leaf"
        for _ in range(levels):
            text = unit.format(text)
        return text

    assert plain(parse_yaml(nested(MAX_DEPTH - 1), "net.yaml")) is not None
    assert refusal(nested(MAX_DEPTH + 1)).code == "NC005"


def test_nesting_through_aliases_counts_as_nesting():
    links = "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 200))
    assert refusal(f"a0: &a0 [leaf]\n{links}").code == "NC005"


def test_a_billion_laughs_is_refused_where_the_limit_is_passed():
    levels = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    assert refusal("a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + levels).code == "NC005"


def test_a_few_aliases_of_a_long_list_are_no_bomb():
    text = f"a: &a [{', '.join('x' * 1000)}]\nb: [{', '.join(['*a'] * 20)}]\n"
    assert len(plain(parse_yaml(text, "net.yaml"))["b"]) == 20


@pytest.mark.parametrize(
    ("text", "line", "help"),
    [
        ("a: 1\nb: [1, 2\n", 3, ""),
        ("a: 1\n  b: 2\n", 2, ""),
        ("layers:\n\t- relu\n", 2, "indent with spaces, not tabs"),
        ("- {dense: $(multiple(x, 8))}\nb: ]\n", 2, ""),
        ("a: 'unclosed\n", 2, ""),
        ("a: 1\nb: \x01\n", 2, ""),
        ("a: 1\n\nb: \x7f\n", 3, ""),
        ("a: @x\n", 1, ""),
    ],
)
def test_a_syntax_error_has_its_line_and_sometimes_a_hint(text, line, help):
    found = refusal(text)
    assert (found.code, found.span.line, found.help) == ("NC002", line, help)
    assert found.message.startswith("not valid YAML: ")
    assert "\n" not in found.message


def test_an_expression_that_breaks_a_flow_mapping_gets_its_own_hint():
    found = refusal("- {conv: {filters: $(widths[0]), kernel: 3}}\n")
    assert found.code == "NC006"
    assert "quote an expression" in found.help


def test_a_lone_surrogate_is_an_error_of_the_text():
    assert refusal("a: 1\nb: \udcff\n").span.line == 2


trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(trees, st.booleans())
def test_what_another_writer_quotes_is_read_back(value, flow):
    text = yaml.dump(value, Dumper=yaml.SafeDumper, default_style='"', default_flow_style=flow, allow_unicode=False)
    # PyYAML tags the quoted scalars that are no strings; take those out to leave plain scalars.
    for tag in ("int", "float", "bool", "null"):
        while f'!!{tag} "' in text:
            before, after = text.split(f'!!{tag} "', 1)
            scalar, after = after.split('"', 1)
            text = before + scalar + after
    assert plain(parse_yaml(text, "net.yaml")) == value


@given(st.text(alphabet="[]{}:,-&*!|>'\"#%@`?\n\t ab01.~$()", max_size=60))
def test_any_text_gives_a_tree_or_a_diagnostic_with_a_place_inside_it(text):
    found = []
    try:
        assert isinstance(parse_yaml(text, "net.yaml"), YamlDict | YamlList | YamlScalar)
    except SpecError as error:
        found = error.diagnostics
    assert all(d.code in ("NC002", "NC003", "NC004", "NC006") for d in found)
    assert all(1 <= d.span.line <= text.count("\n") + 2 for d in found)
