"""Devices from YAML: netcalc's own file, and files of users that add devices or change known ones."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, PositiveFloat

from netcalc.analysis.devices import (
    PRECISIONS,
    USABLE_SHARE,
    Device,
    Devices,
    Kind,
    Peak,
    Precision,
    Publication,
    find_device,
)
from netcalc.choice import LIST_AS_TUPLE, Fields
from netcalc.diagnostics import CannotRunError, Diagnostic, Span, SpecError, did_you_mean
from netcalc.spec.files import MAX_BASES, read_text
from netcalc.spec.findings import Findings
from netcalc.spec.source import YamlDict, YamlTree, locate, parse_yaml
from netcalc.spec.validation import validate
from netcalc.units import parse_bytes, parse_count

SECTION = "devices"

_OWN = Path(__file__).with_name("devices.yaml")

Size = Annotated[int, BeforeValidator(parse_bytes), Field(gt=0)]
Rate = Annotated[int, BeforeValidator(parse_count), Field(gt=0)]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class PeakFields(Fields):
    """Dense peak rates, in FLOP/s."""

    float32: Rate | None = Field(default=None, description="of the vector units")
    float32_matrix: Rate | None = Field(default=None, description="of matrix units that multiply float32")
    tensorfloat32: Rate | None = Field(default=None, description="TF32 on matrix units")
    bfloat16: Rate | None = Field(default=None, description="on matrix units")
    float16: Rate | None = Field(default=None, description="on matrix units, accumulated in float32")


class SourceFields(Fields):
    """The document that figures are from."""

    principal: ClassVar[str | None] = "title"

    title: str = Field(description="title of the document")
    address: str | None = Field(default=None, description="where to read it")


class DeviceFields(Fields):
    """One device, or what is different of one that is known."""

    extends: str | None = Field(default=None, description="a known device whose figures hold unless given here")
    name: Name | None = Field(default=None, description="name of the product; the key by default")
    aliases: Annotated[tuple[Name, ...], LIST_AS_TUPLE] = Field(default=(), description="other names")
    kind: Kind | None = Field(default=None, description="gpu, tpu or cpu")
    memory: Size | None = Field(default=None, description="capacity, such as 80GiB")
    usable: Size | None = Field(default=None, description="what one process can allocate of the memory")
    bandwidth: Size | None = Field(default=None, description="of the memory, bytes a second, such as 3.35TB")
    peak: PeakFields = Field(default_factory=PeakFields, description="dense FLOP/s by precision, such as 66.9T")
    float32_products: Precision | None = Field(
        default=None, description="precision in which JAX multiplies float32 matrices by default"
    )
    source: SourceFields | None = Field(default=None, description="the document that the figures are from")
    note: str = Field(default="", description="what else to know")
    price_per_hour: PositiveFloat | None = Field(default=None, description="price of an hour")
    currency: Name | None = Field(default=None, description="currency of the price, such as USD")


@cache
def known_devices() -> Devices:
    """Return the devices that netcalc knows, without any of a user's."""
    return read_devices(read_text(_OWN), os.fspath(_OWN), {})


def load_devices(files: Iterable[str | os.PathLike[str]] = ()) -> Devices:
    """Return the known devices and those of the files, each of which may change what came before.

    Raises CannotRunError for a file that cannot be read, SpecError with every finding for one that is wrong.
    """
    devices = known_devices()
    for file in files:
        devices = read_devices(read_text(file), os.fspath(file), devices)
    return devices


def read_devices(text: str, file: str, known: Devices) -> Devices:
    """Return the known devices and those that YAML text describes below `devices:`; `file` names it in messages.

    Raises SpecError with every finding.
    """
    findings = Findings()
    tree = _section(parse_yaml(text, file), findings)
    reader = _Reader(tree, known, findings)
    found = {key: reader.device(key) for key in tree.entries}
    if len(findings):
        raise SpecError(findings)
    return MappingProxyType({**known, **{key: device for key, device in found.items() if device is not None}})


def _section(tree: YamlTree, findings: Findings) -> YamlDict:
    """Return what stands below `devices:`; raises SpecError where there is no such mapping."""
    if isinstance(tree, YamlDict):
        for key, span in tree.keys.items():
            if key != SECTION:
                help = did_you_mean(key, [SECTION])
                findings.report("NC010", f"unknown section `{key}` of a file of devices", span, help)
        found = tree.entries.get(SECTION)
        if isinstance(found, YamlDict):
            return found
    span = locate(tree, (SECTION,), key=True)
    help = "for example `devices: {my-h100: {extends: h100, price_per_hour: 2, currency: USD}}`"
    findings.report("NC012", "a file of devices needs `devices:`, a mapping from names to devices", span, help)
    raise SpecError(findings)


class _Reader:
    """Resolves the entries of one file, each once, whatever their order."""

    def __init__(self, tree: YamlDict, known: Devices, findings: Findings) -> None:
        self.tree, self.known, self.findings = tree, known, findings
        self.done: dict[str, Device | None] = {}
        self.under_way: list[str] = []
        self.lengths: dict[str, int] = {}
        """How many entries of the file stand behind one, each extending the next."""

    def device(self, key: str) -> Device | None:
        """Return the device of an entry, None where a finding says what is wrong with it."""
        if key not in self.done:
            self.under_way.append(key)
            self.done[key] = self._resolved(key, self.tree.entries[key])
            self.under_way.pop()
        return self.done[key]

    def _resolved(self, key: str, tree: YamlTree) -> Device | None:
        fields = validate(DeviceFields, tree, key)
        if isinstance(fields, list):
            self.findings.add(fields)
            return None
        base = None
        if fields.extends is not None:
            base = self._base(key, fields.extends, locate(tree, ("extends",)))
            if base is None:
                return None
        missing = [name for name in ("kind", "memory", "bandwidth") if getattr(fields, name) is None]
        if base is None and missing:
            help = "or start from a known device with `extends`; `netcalc devices` lists them"
            for name in missing:
                about = DeviceFields.model_fields[name].description
                self.findings.report("NC012", f"`{key}` needs `{name}`: {about}", self.tree.keys[key], help)
            return None
        device = _overlaid(key, fields, base, tree.span.file)
        problems = tuple(_contradictions(device, tree))
        self.findings.add(problems)
        return None if problems else device

    def _base(self, key: str, name: str, span: Span) -> Device | None:
        """Return the device that an entry extends: of this file, or, for itself, of what was known before."""
        if name != key and name in self.tree.entries:
            if name in self.under_way:
                self.findings.report("NC018", f"`{key}` and `{name}` extend each other in a circle", span)
                return None
            # The limit is the same whether the chain is read from its near or its far end.
            is_short = len(self.under_way) <= MAX_BASES
            base = self.device(name) if is_short else None
            self.lengths[key] = self.lengths.get(name, 0) + 1
            if not is_short or self.lengths[key] > MAX_BASES:
                self.findings.report("NC018", f"more than {MAX_BASES} devices extend each other", span)
                return None
            return base
        try:
            return find_device(name, self.known)
        except CannotRunError as error:
            self.findings.report("NC011", f"`extends` names an {error}", span, error.help)
            return None


def _overlaid(key: str, fields: DeviceFields, base: Device | None, file: str) -> Device:
    """Return the device of an entry over the one that it extends."""
    given = fields.model_fields_set
    if base is None:
        assert fields.kind is not None
        assert fields.memory is not None
        assert fields.bandwidth is not None
        base = Device(
            key=key,
            name=key,
            kind=fields.kind,
            memory_bytes=fields.memory,
            usable_bytes=_estimate(fields.memory),
            usable_is_estimate=True,
            bandwidth_bytes_per_second=fields.bandwidth,
            peak=Peak(),
            float32_products="float32",
            source=Publication(file, None),
        )
    rates = {name: getattr(fields.peak, name) for name in PRECISIONS if name in fields.peak.model_fields_set}
    memory_bytes = fields.memory or base.memory_bytes
    usable_bytes, is_estimate = base.usable_bytes, base.usable_is_estimate
    if given & {"memory", "usable"}:
        usable_bytes, is_estimate = fields.usable or _estimate(memory_bytes), fields.usable is None
    source = fields.source
    return replace(
        base,
        key=key,
        name=fields.name or base.name,
        aliases=fields.aliases,
        kind=fields.kind or base.kind,
        memory_bytes=memory_bytes,
        usable_bytes=usable_bytes,
        usable_is_estimate=is_estimate,
        bandwidth_bytes_per_second=fields.bandwidth or base.bandwidth_bytes_per_second,
        peak=replace(base.peak, **rates),
        float32_products=fields.float32_products or base.float32_products,
        source=base.source if source is None else Publication(source.title, source.address),
        note=fields.note if "note" in given else base.note,
        price_per_hour=fields.price_per_hour if "price_per_hour" in given else base.price_per_hour,
        currency=fields.currency if "currency" in given else base.currency,
    )


def _estimate(memory_bytes: int) -> int:
    share, of = USABLE_SHARE
    return memory_bytes * share // of


def _contradictions(device: Device, tree: YamlTree) -> Iterable[Diagnostic]:
    """Yield what does not agree in a device whose fields are right each on its own."""
    if device.usable_bytes > device.memory_bytes:
        message = f"`usable` ({device.usable_bytes:,}) is more than `memory` ({device.memory_bytes:,} bytes)"
        yield Diagnostic("NC011", message, locate(tree, ("usable",)), "GiB is a power of two, GB a power of ten")
    if device.float32_products != "float32" and device.peak.of(device.float32_products) is None:
        message = f"`float32_products` is {device.float32_products}, of which `peak` has no rate"
        yield Diagnostic("NC011", message, locate(tree, ("float32_products",)), "give the rate in `peak`")
    if (device.price_per_hour is None) != (device.currency is None):
        has, lacks = ("price_per_hour", "currency")[:: 1 if device.currency is None else -1]
        help = "for example `price_per_hour: 2.5` and `currency: USD`"
        yield Diagnostic("NC012", f"`{has}` needs `{lacks}`", locate(tree, (has,)), help)
