"""What is asked of the process that compiles a training step, and what it answers, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from netcalc.analysis.exact import DoesNotFit, ExactMemory
from netcalc.analysis.targets import Target
from netcalc.diagnostics import Diagnostic
from netcalc.spec.training import UpdateSpec


@dataclass(frozen=True, slots=True)
class CompileRequest:
    """A spec as `load_spec` takes it, what an update computes, and what to compile it for."""

    spec: Path
    overrides: tuple[str, ...]
    root: Path | None
    update: UpdateSpec
    target: Target


@dataclass(frozen=True, slots=True)
class WrongSpec:
    """The spec has errors, or its data do not fit the network."""

    diagnostics: tuple[Diagnostic, ...]
    kind: Literal["wrong_spec"] = "wrong_spec"


@dataclass(frozen=True, slots=True)
class CannotAnswer:
    """No spec is wrong, and yet there is no answer: what a CannotRunError says."""

    message: str
    help: str
    kind: Literal["cannot_answer"] = "cannot_answer"


CompileAnswer = ExactMemory | DoesNotFit | WrongSpec | CannotAnswer


def request_json(request: CompileRequest) -> str:
    """Return the JSON of a request."""
    return _requests().dump_json(request).decode()


def parse_request(text: str) -> CompileRequest:
    """Return a request from its JSON."""
    return _requests().validate_json(text)


def answer_json(answer: CompileAnswer) -> str:
    """Return the JSON of an answer, a line."""
    return _answers().dump_json(answer).decode() + "\n"


def parse_answer(text: str) -> CompileAnswer:
    """Return an answer from its JSON; raises ValueError where it is none."""
    return _answers().validate_json(text)


@cache
def _requests() -> TypeAdapter[CompileRequest]:
    return TypeAdapter(CompileRequest)


@cache
def _answers() -> TypeAdapter[CompileAnswer]:
    return TypeAdapter(Annotated[CompileAnswer, Field(discriminator="kind")])
