"""What differs between two values as JSON has them: fields of a layer, settings of a spec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A value that is another: null on the side that has none."""

    path: Annotated[str, Field(description="keys joined by dots, as `--set` takes them within their section")]
    before: Any
    after: Any


def value_changes(before: Any, after: Any, path: str = "", *, levels: int = 1) -> Iterator[ValueChange]:
    """Yield the innermost values that differ; mappings without a common key differ as a whole.

    So another alternative of a choice, such as an optimizer, is one change with all its fields. The outermost
    `levels` are compared key by key all the same.
    """
    both_map = isinstance(before, dict) and isinstance(after, dict)
    if both_map and (levels > 0 or not before.keys().isdisjoint(after)):
        for key in {**before, **after}:
            inner = f"{path}.{key}" if path else key
            yield from value_changes(before.get(key), after.get(key), inner, levels=levels - 1)
    elif before != after or isinstance(before, bool) != isinstance(after, bool):  # to Python, 1 is true
        yield ValueChange(path, before, after)
