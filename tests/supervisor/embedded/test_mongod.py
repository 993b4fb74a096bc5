"""Where a mongod is found, and why one does not run."""

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import preflight
from settings import Settings
from supervisor.embedded import mongod, servers


@pytest.fixture(autouse=True)
def _looked_for_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("PATH", str(tmp_path))
    mongod.mongod.cache_clear()
    yield
    mongod.mongod.cache_clear()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the package puts its mongod, in an environment of its own."""
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path / "site"))
    program = tmp_path / "site" / "fiftyone" / "db" / "bin" / "mongod"
    program.parent.mkdir(parents=True)
    return program


def script(file: Path, text: str) -> None:
    file.write_text(f"#!/bin/sh\n{text}\n")


def problems(tmp_path: Path) -> list[str]:
    return preflight.server_problems(Settings(koinx_home=tmp_path / "home"))


def test_one_on_the_path_goes_before_the_installed_one(installed: Path, tmp_path: Path) -> None:
    for file in (installed, tmp_path / "mongod"):
        script(file, "exit 0")
        file.chmod(0o755)
    assert mongod.mongod() == str(tmp_path / "mongod")
    script(tmp_path / "mongod", "exit 1")
    mongod.mongod.cache_clear()
    assert mongod.mongod() == str(installed)


def test_a_package_that_leaves_its_program_without_the_right_to_run_is_no_obstacle(
    installed: Path,
) -> None:
    script(installed, "exit 0")
    installed.chmod(0o644)
    assert mongod.mongod() == str(installed)


def test_a_processor_without_the_instructions_is_named(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(installed, "kill -ILL $$")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert problems(tmp_path) == [
        "MongoDB cannot start because this processor lacks AVX: "
        "set MONGODB_URI to a MongoDB of your own"
    ]


@pytest.mark.parametrize(
    ("libraries", "said"),
    [
        (
            {"libcurl.so.4": "libcurl.so.9"},
            "lacks libcurl.so.9: set MONGODB_URI to a MongoDB of your own",
        ),
        (
            {"libcurl.so.4": "libnone.so.4", "liblzma.so.5": "libnone.so.5"},
            "lacks libnone.so.4, libnone.so.5: apt install libcurl4 liblzma5 (Debian, Ubuntu), "
            "or set MONGODB_URI to a MongoDB of your own",
        ),
    ],
)
def test_all_missing_libraries_are_named_with_their_packages(
    installed: Path,
    tmp_path: Path,
    libraries: dict[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a real program that wants libraries which no machine has
    real = Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    code = (real / "fiftyone" / "db" / "bin" / "mongod").read_bytes()
    for name, other in libraries.items():
        assert name.encode() + b"\0" in code
        code = code.replace(name.encode() + b"\0", other.encode() + b"\0")
        if "none" in other:
            monkeypatch.setitem(mongod.PACKAGES, other, mongod.PACKAGES[name])
    installed.write_bytes(code)
    assert problems(tmp_path) == [f"MongoDB cannot start because this machine {said}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo too old >&2; exit 7", "too old"),
        ("exit 7", "exit code 7"),
        ("kill -SEGV $$", "ended by SIGSEGV"),
    ],
)
def test_another_fault_is_told_as_it_is(
    installed: Path, tmp_path: Path, text: str, said: str
) -> None:
    script(installed, text)
    [complaint] = problems(tmp_path)
    assert complaint.startswith(f"MongoDB cannot start ({said}): ")


def test_a_platform_that_no_package_serves_is_named(tmp_path: Path, installed: Path) -> None:
    [complaint] = problems(tmp_path)
    here = f"{platform.system()} on {platform.machine()}"
    assert complaint.startswith(f"no package provides MongoDB for {here}: set MONGODB_URI")


def test_where_none_runs_the_substitute_is_started_with_the_same_password(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "has_secantus", lambda: True)
    script(installed, "exit 1")
    spec = servers.mongodb(Settings(koinx_home=tmp_path), 20_000, "secret")
    assert "supervisor.embedded.secantus" in spec.command
    assert "secret" not in " ".join(spec.command)
    assert list(spec.files.values()) == ["secret"]


def test_data_of_the_other_program_is_never_started_on(installed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "data" / "mongodb"
    folder.mkdir(parents=True)
    script(installed, "exit 0")
    assert problems(tmp_path) == []
    (folder / "secantus_collections.wt").touch()
    [complaint] = problems(tmp_path)
    assert complaint.startswith(f"{folder} was written by SecantusDB")
    assert "./koinx backup FILE" in complaint
