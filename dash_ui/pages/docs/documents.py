"""The README and the guides: which there are, and where their links lead on the dashboard."""

import posixpath
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Flask, Response, abort, send_file

from dash_ui.pages.docs.markdown import Document, Target, rendered

PAGE = "/guide"
FILES = "/guide-file"
README = "README.md"
# What the texts show or name beside each other.
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
        # By the file's path in the project, the README first.
        self._names = {README: ""} | {
            f"docs/{file.name}": file.stem for file in sorted((root / "docs").glob("*.md"))
        }
        self.read = cache(self._read)

    def all(self) -> list[Guide]:
        """All that are there, the README first."""
        return [self.read(name) for file, name in self._names.items() if self._is_there(file)]

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
