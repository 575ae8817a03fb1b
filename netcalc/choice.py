"""One of several alternatives, written in YAML as a word or as a one-key mapping."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_serializer, model_validator

LIST_AS_TUPLE = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
"""What a field of type tuple needs to read a list, since nothing else is coerced."""


class Fields(BaseModel):
    """A frozen set of fields of a spec: unknown keys are errors, nothing is coerced, every float is finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, strict=True, allow_inf_nan=False)

    principal: ClassVar[str | None] = None
    """The field that a value other than a mapping stands for: `avg_pool: 2` is `avg_pool: {kernel: 2}`."""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if value is None:
            return {}
        if cls.principal is None or isinstance(value, dict | Fields):
            return value
        return {cls.principal: value}


class OneOf(Fields):
    """A choice between the model's fields: `adam`, `adam: 1e-3` or `adam: {learning_rate: 1e-3}`.

    Subclasses have one optional field per alternative, each a `Fields` type or None.
    """

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return {value: {}}
        if not isinstance(value, dict) or len(value) != 1:
            raise ValueError(f"should be one of {', '.join(cls.model_fields)}")
        return {name: {} if inner is None else inner for name, inner in value.items()}

    @model_serializer(mode="plain")
    def _only_chosen(self) -> dict[str, Any]:
        return {self.kind: self.chosen.model_dump()}

    @property
    def kind(self) -> str:
        """The name of the alternative that was chosen."""
        return next(iter(self.model_fields_set))

    @property
    def chosen(self) -> Any:
        """The fields of the alternative that was chosen."""
        return getattr(self, self.kind)
