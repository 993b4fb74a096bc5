"""What is installed is pinned, to the very file, and says so in two places that agree."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from settings import ROOT

FILES = sorted(ROOT.glob("requirements*.in"))


def pins(file: Path) -> Iterator[str]:
    """A package with its version and marker, a line each."""
    for line in file.read_text().splitlines():
        text = line.partition("#")[0].strip().removesuffix("\\")
        if text and not text.startswith("--hash"):
            one = Requirement(text)
            assert [clause.operator for clause in one.specifier] == ["=="], one
            yield f"{one.name}{one.specifier}; {sorted(str(one.marker).split(' and '))}"


def test_there_are_such_files() -> None:
    names = ["requirements-dev.in", "requirements-servers.in", "requirements.in"]
    assert [file.name for file in FILES] == names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_pin_stands_in_both_files_and_has_hashes(file: Path) -> None:
    written = file.with_suffix(".txt")
    assert sorted(pins(written)) == sorted(pins(file)), ".ci/lock was not called"
    lines = written.read_text().splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line and not line.startswith((" ", "#")):
            assert line.endswith("\\"), line
            assert following.startswith("    --hash=sha256:"), line
