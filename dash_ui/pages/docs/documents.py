"""The README and the guides: which there are, and where their links lead on the dashboard."""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Flask, Response, abort, send_file

from dash_ui.pages.docs.markdown import Document, Target, rendered

PAGE = "/guide"
FILES = "/guide-file"
README = "README.md"
# Texts that a guide links to, but that the list of guides leaves out.
LINKED = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
# Other files that the texts show or link to.
BESIDE = (".env.example", "docs/dashboard.png", "docs/openapi.json")
TEXTS = (".example",)


class UnknownGuide(Exception):
    """There is no guide of this name."""


@dataclass(frozen=True, slots=True)
class Guide:
    """One text: its name in the address (empty for the README), title, rendered text."""

    name: str
    title: str
    document: Document


class Guides:
    """The texts of the project in the folder `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # The name of each text by its path in the project, the README first.
        self._names = {README: ""} | self._stems(root.glob("docs/*.md"))
        self._listed = tuple(self._names)
        self._names |= self._stems(root.glob("docs/decisions/*.md"))
        self._names |= {file: Path(file).stem.lower() for file in LINKED}
        self.read = cache(self._read)

    def _stems(self, files: Iterable[Path]) -> dict[str, str]:
        return {file.relative_to(self._root).as_posix(): file.stem for file in sorted(files)}

    def all(self) -> list[Guide]:
        """The README and the guides, in the order in which the page lists them."""
        return [self.read(self._names[file]) for file in self._listed if self._is_there(file)]

    def names(self) -> list[str]:
        """The name of every text that can be read, listed or not."""
        return [name for file, name in self._names.items() if self._is_there(file)]

    def _is_there(self, file: str) -> bool:
        return (self._root / file).is_file()

    def _read(self, name: str) -> Guide:
        """The guide of this name; an UnknownGuide where there is none."""
        file = next((file for file, known in self._names.items() if known == name), None)
        if file is None or not self._is_there(file):
            raise UnknownGuide(name)
        text = (self._root / file).read_text(encoding="utf-8")
        document = rendered(text, lambda target: self._leads(file, target))
        title = next((one.text for one in document.headings if one.level == 1), file)
        return Guide(name, title, document)

    def _leads(self, file: str, target: str) -> Target:
        """Where a link in `file` leads: another guide's page, a file beside it, or elsewhere."""
        path, mark, anchor = target.partition("#")
        if not path or ":" in path:
            return Target(target)
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
        if path in self._names:
            return Target(f"{address(self._names[path])}{mark}{anchor}", is_page=True)
        return Target(f"{FILES}/{path}")

    def serve_files(self, server: Flask) -> None:
        """Serve what the texts show beside themselves, and nothing else."""

        @server.get(f"{FILES}/<path:name>")
        def guide_file(name: str) -> Response:
            if name not in BESIDE or not self._is_there(name):
                abort(404)
            mimetype = "text/plain" if name.endswith(TEXTS) else None
            return send_file(self._root / name, mimetype=mimetype)


def address(name: str) -> str:
    """The address of a guide's page."""
    return f"{PAGE}/{name}" if name else PAGE
