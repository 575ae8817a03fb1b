"""Where files lie in a checkout, as CI services name them: below its top folder, with `/` between the parts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import quote

from netcalc.diagnostics import Span
from netcalc.render.printable import printable


@dataclass(frozen=True, slots=True)
class Checkout:
    """The folder that the paths of specs are relative to, and the top folder of the checkout around it.

    Both are absolute, with links resolved. Without them the working folder counts as the top.
    """

    folder: str = ""
    top: str = ""

    def path_of(self, file: str) -> str | None:
        """Return a file's path below the top folder, None for one that lies elsewhere."""
        path = PurePath(self.full_path(file))
        top = PurePath(self.top or self.folder)
        if ".." in path.parts or not path.is_relative_to(top):
            return None
        return path.relative_to(top).as_posix()

    def full_path(self, file: str) -> str:
        """Return a file's path with the folder before it."""
        return os.path.normpath(os.path.join(self.folder, file))

    def name_of(self, file: str) -> str:
        """Return a file as messages name it: below the top folder, or as it was given if it lies elsewhere."""
        return printable(self.path_of(file) or file)

    def place_of(self, span: Span) -> str:
        """Return `path:line:column`, or what an override sets."""
        return printable(str(span)) if span.virtual else f"{self.name_of(span.file)}:{span.line}:{span.column}"


def percent_encoded(path: str) -> str:
    """Return a path as it stands in an address; bytes that are no UTF-8 stay what they are."""
    return quote(path.encode(errors="surrogateescape"))


HERE = Checkout()
"""Paths as they are."""
