"""The bootstrap: a copy of `koinx` in a folder of its own, with one tiny package to install."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bench.harness.services import cpu_of_children
from settings import ROOT

pytestmark = pytest.mark.system


def wheel(folder: Path, name: str) -> str:
    """A package without any code but its name; how requirements ask for this very file."""
    about = f"{name}-1.0.dist-info"
    made = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        files = ("METADATA", "WHEEL", "RECORD")
        archive.writestr(
            f"{about}/RECORD", f"{name}.py,,\n" + "".join(f"{about}/{file},,\n" for file in files)
        )
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(made.read_bytes()).hexdigest()}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with its environment made; tests that break it make it whole again."""
    project = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "koinx", project / "koinx")
    wheels = project / "wheels"
    wheels.mkdir()
    tiny, server, for_tests = (wheel(wheels, name) for name in ("tiny", "server", "forthetests"))
    (project / "cli").mkdir()
    (project / "cli" / "main.py").write_text(
        "import json, os, sys, tiny\nprint(json.dumps([sys.argv[1:], os.getcwd(), sys.prefix]))\n"
    )
    options = f"--no-index\n--find-links {wheels}\n"
    (project / "requirements.txt").write_text(options + tiny)
    (project / "requirements-servers.txt").write_text(server)
    (project / "requirements-dev.txt").write_text(for_tests)
    result = koinx(project, "status")
    assert result.returncode == 0, result.stderr
    assert "making .venv" in result.stdout
    return project


def koinx(
    project: Path, *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(project / "koinx"), *arguments],
        cwd=cwd or project,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_later_call_starts_at_once_from_anywhere(made: Path, tmp_path: Path) -> None:
    before = cpu_of_children()
    result = koinx(made, "up", "--demo", cwd=tmp_path)
    assert cpu_of_children() - before < 1
    assert json.loads(result.stdout) == [["up", "--demo"], str(made), str(made / ".venv")]


def test_the_tests_packages_are_installed_for_the_tests(made: Path) -> None:
    assert not list(made.glob(".venv/lib/*/site-packages/forthetests.py"))
    assert koinx(made, "test", "-x").returncode == 0
    assert list(made.glob(".venv/lib/*/site-packages/forthetests.py"))
    assert koinx(made, "status").stdout.count("\n") == 1, "nothing to install any more"


def is_complete(project: Path) -> bool:
    """What the project's own koinx thinks of its environment."""
    code = "import runpy, sys; k = runpy.run_path(sys.argv[1]); "
    code += "sys.exit(not k['is_complete'](k['requirements']([])))"
    command = [sys.executable, "-c", code, str(project / "koinx")]
    return subprocess.run(command, timeout=30, check=False).returncode == 0


def test_what_is_broken_is_noticed(made: Path) -> None:
    (package,) = made.glob(".venv/lib/*/site-packages/tiny.py")
    python = made / ".venv" / "bin" / "python"
    requirements = made / "requirements.txt"
    for part in (package, python, requirements):
        aside = part.with_name("aside")
        assert is_complete(made)
        part.rename(aside)
        part.touch()
        if part == package:
            part.unlink()
        assert not is_complete(made), part
        aside.replace(part)
    assert is_complete(made)


def test_an_interrupted_installation_is_not_taken_for_a_finished_one(made: Path) -> None:
    (made / ".venv" / "koinx-unfinished").touch()
    (made / ".venv" / "bin" / "python").unlink()
    (made / ".venv" / "bin" / "python").symlink_to("/nowhere/python3")
    result = koinx(made, "status")
    assert result.returncode == 0, result.stderr
    assert "making .venv" in result.stdout
    assert not (made / ".venv" / "koinx-unfinished").exists()


def test_two_calls_do_not_install_into_each_other(made: Path) -> None:
    (made / ".venv" / "koinx.json").unlink()
    folder = os.open(made, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with subprocess.Popen(
            [sys.executable, str(made / "koinx"), "status"], stdout=subprocess.PIPE, text=True
        ) as second:
            try:
                assert second.stdout
                assert "another ./koinx is installing" in second.stdout.readline()
                with pytest.raises(subprocess.TimeoutExpired):
                    second.wait(1.5)
                assert not (made / ".venv" / "koinx-unfinished").exists()
                fcntl.flock(folder, fcntl.LOCK_UN)
                assert second.wait(60) == 0
            finally:
                second.kill()
    finally:
        os.close(folder)
    assert (made / ".venv" / "koinx.json").exists()


NO_MKDIR = """
def refuse(*_, **__):
    raise OSError(number, os.strerror(number))
pathlib.Path.mkdir = refuse
"""


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("sys.version_info = (3, 9, 2)", "Python 3.11 or later is needed"),
        ("sys.modules['ensurepip'] = None", "apt install python3-venv"),
        (f"number = 28{NO_MKDIR}", "the disk is full"),
        (f"number = 13{NO_MKDIR}", "cannot be written"),
    ],
)
def test_what_is_missing_is_told_in_one_line(tmp_path: Path, patch: str, message: str) -> None:
    shutil.copy(ROOT / "koinx", tmp_path / "koinx")
    for name in ("requirements.txt", "requirements-servers.txt"):
        (tmp_path / name).write_text("")
    code = (
        f"import os, pathlib, runpy, sys\n{patch}\nrunpy.run_path(sys.argv[1], run_name='__main__')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "koinx")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"swapped==1.0 --hash=sha256:{'0' * 64}\n", "is not the file that was pinned"),
        ("swapped==1.0\n", "has no hash"),
    ],
)
def test_a_file_that_is_not_the_pinned_one_is_not_installed(
    made: Path, line: str, said: str
) -> None:
    wheel(made / "wheels", "swapped")
    requirements = made / "requirements.txt"
    before = requirements.read_text()
    requirements.write_text(before + line)
    result = koinx(made, "status")
    requirements.write_text(before)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert not list(made.glob(".venv/lib/*/site-packages/swapped*"))
    assert koinx(made, "status").returncode == 0


def test_a_failed_installation_is_told_in_one_line(made: Path) -> None:
    """The last one, since it leaves the environment broken."""
    with (made / "requirements.txt").open("a") as file:
        file.write(f"nosuchpackage==1.0 --hash=sha256:{'0' * 64}\n")
    result = koinx(made, "status")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "nosuchpackage==1.0" in result.stderr
    assert not is_complete(made)


def test_windows_is_told_what_to_do_instead(tmp_path: Path) -> None:
    # Given a Python without what only Unix has
    code = "import runpy, sys; sys.modules['fcntl'] = None; runpy.run_path(sys.argv[1])"
    command = [sys.executable, "-c", code, str(ROOT / "koinx")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "WSL" in result.stderr
    assert "Docker" in result.stderr
