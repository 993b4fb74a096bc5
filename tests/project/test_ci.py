"""CI says in its summary what it could not do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.harness.services import free_port
from settings import ROOT

pytestmark = pytest.mark.system

TOOLS = ("chromium", "docker-compose", "systemd-analyze", "wrk", "promtool")
LIBRARIES = "#!/bin/sh\necho libcurl.so.4 libssl.so.3\n"
# The audit asks with the real one; whoever asks the system that CI starts is content.
PYTHON = '#!/bin/sh\n[ "$1" = - ] && [ -n "$2" ] && exit 0\nexec {python} "$@"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of CI's files, in which all that they call ends well."""
    made = tmp_path / "project"
    shutil.copytree(ROOT / ".ci", made / ".ci")
    tools = {made / "koinx": "#!/bin/sh\n"}
    tools |= {made / ".venv/bin" / name: "#!/bin/sh\n" for name in ("ruff", "mypy", "lint-imports")}
    tools |= {made / "bin" / name: "#!/bin/sh\n" for name in TOOLS}
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
    tools |= {made / "bin/ldconfig": LIBRARIES, made / "bin/python3": PYTHON.format(python=python)}
    for file, text in tools.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    return made


def run(project: Path, file: str) -> "subprocess.CompletedProcess[str]":
    """As where no package index can be reached."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.run(
        [project / ".ci" / file],
        env=kept
        | {
            "PATH": f"{project / 'bin'}:{os.environ['PATH']}",
            "https_proxy": f"http://127.0.0.1:{free_port()}",
            "GITHUB_STEP_SUMMARY": str(project / "summary"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_audit_without_its_list_does_not_count_as_one(project: Path) -> None:
    ran = run(project, "audit")
    assert ran.returncode == 3
    assert "NOT AUDITED: the list of known vulnerabilities cannot be reached" in ran.stdout


def test_the_summary_says_that_nothing_was_audited(project: Path) -> None:
    ran = run(project, "run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = ran.stdout.partition("== summary\n")[2].splitlines()
    assert told[0] == "passed"
    assert told[1] == "WHEELS NOT CHECKED: the package index could not be reached"
    assert told[2].startswith("NOT AUDITED: ")
    assert (project / "summary").read_text().splitlines() == told


@pytest.mark.parametrize(("index", "code"), [("exit 0", 1), ("exit 2", 3)])
def test_a_missing_wheel_is_told_from_an_index_out_of_reach(
    project: Path, index: str, code: int
) -> None:
    # uv fails for the pinned packages; whether it can ask for another tells why.
    uv = f'#!/bin/sh\ncase "$*" in *requirements*) exit 1 ;; esac\n{index}\n'
    python = project / "bin/python3"
    python.write_text(
        f'#!/bin/sh\n[ "$1 $2" = \'-m venv\' ] || exit 9\nmkdir -p "$3/bin"\n'
        f'cp {project / "bin/wrk"} "$3/bin/pip"\ncp {project / "uv"} "$3/bin/uv"\n'
    )
    (project / "uv").write_text(uv)
    (project / "uv").chmod(0o755)
    assert run(project, "wheels").returncode == code


@pytest.mark.parametrize(
    ("tool", "text", "last"),
    [
        ("wheels", "FAILED (1)", "a wheel of each package for each platform"),
        ("audit", "FAILED (1)", "known vulnerabilities of the packages"),
        ("../koinx", "FAILED (1)", "install"),
    ],
)
def test_a_missing_wheel_a_vulnerability_or_a_failed_test_ends_it(
    project: Path, tool: str, text: str, last: str
) -> None:
    (project / ".ci" / tool).write_text("#!/bin/sh\nexit 1\n")
    ran = run(project, "run")
    assert ran.returncode == 1
    before, _, summary = ran.stdout.partition("== summary\n")
    assert summary.splitlines()[0] == text
    assert [line for line in before.splitlines() if line.startswith("== ")][-1] == f"== {last}"
