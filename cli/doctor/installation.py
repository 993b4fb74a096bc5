"""Checks Python and the installed packages."""

import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from cli.doctor.finding import Finding, problem
from settings import ROOT

OLDEST = (3, 11)
FILES = (ROOT / "requirements.txt", ROOT / "requirements-servers.txt")
SHOWN = 5  # packages


def python() -> list[Finding]:
    """Checks the version of the running Python."""
    found = f"{sys.version.split()[0]}, {sys.executable}"
    if sys.version_info >= OLDEST:
        return [Finding("python", "ok", found)]
    return [problem("python", found, "install Python 3.11 or later, remove .venv, and run ./koinx")]


def packages(files: Sequence[Path] = FILES) -> list[Finding]:
    """Compares the installed packages with those that `files` pin."""
    wanted = [one for file in files for one in _pinned(file)]
    wrong = [text for one in wanted if (text := _wrong(one))]
    if not wrong:
        names = " and ".join(file.name for file in files)
        return [Finding("packages", "ok", f"{len(wanted)} as pinned in {names}")]
    more = f", and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    cure = f"{sys.executable} -m pip install " + " ".join(f"-r {file.name}" for file in files)
    return [problem("packages", ", ".join(wrong[:SHOWN]) + more, cure)]


def _pinned(file: Path) -> Iterator[Requirement]:
    for line in file.read_text().splitlines():
        try:
            one = Requirement(line.partition("#")[0].strip().removesuffix("\\"))
        except InvalidRequirement:
            continue  # a comment, an option, a hash, an empty line
        if one.marker is None or one.marker.evaluate():
            yield one


def _wrong(wanted: Requirement) -> str | None:
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return f"{wanted.name}{wanted.specifier} is not installed"
    if wanted.specifier.contains(found, prereleases=True):
        return None
    return f"{wanted.name} is {found}, not {str(wanted.specifier).removeprefix('==')}"
