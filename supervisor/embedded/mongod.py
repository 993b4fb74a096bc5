"""Which mongod runs on this machine; where none does, why not."""

import os
import platform
import re
import shutil
import signal
import subprocess
import sysconfig
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from logs.redaction import plain
from supervisor.process import ended

ELSEWHERE = "set MONGODB_URI to a MongoDB of your own"
# Debian's and Ubuntu's packages; the rest of a mongod's libraries is on every machine.
PACKAGES = {
    "libcrypto.so.3": "libssl3",
    "libcurl.so.4": "libcurl4",
    "libgcc_s.so.1": "libgcc-s1",
    "liblzma.so.5": "liblzma5",
    "libssl.so.3": "libssl3",
}
INSTRUCTIONS = {"x86_64": "AVX", "aarch64": "the instructions of ARMv8.2"}
MISSING = re.compile(r"^\s*(\S+) => not found", re.MULTILINE)


@lru_cache
def mongod() -> str | None:
    """The program: from PATH, else from the installed package; None if neither runs here."""
    found = (shutil.which("mongod"), packaged())
    return next((one for one in found if one and fault(one) is None), None)


def packaged() -> str | None:
    """The mongod of whichever package this platform has; None if there is none."""
    program = Path(sysconfig.get_path("purelib")) / "fiftyone" / "db" / "bin" / "mongod"
    if not program.is_file():
        return None
    if not os.access(program, os.X_OK):
        program.chmod(0o755)
    return str(program)


def has_stand_in() -> bool:
    """Whether this platform has SecantusDB, which is some 60 times slower."""
    return find_spec("secantus") is not None


def why_none() -> str:
    """Why there is no mongod here, and what to do."""
    program = packaged()
    if program is None:
        here = f"{platform.system()} on {platform.machine()}"
        return f"no package has a MongoDB for {here}: {ELSEWHERE}"
    return fault(program) or f"{program} is running now: run the command again"


def fault(program: str) -> str | None:
    """Why a program cannot even tell its version, and what to do; None if it can."""
    try:
        outcome = _run(program, "--version")
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"MongoDB cannot start ({plain(error)}): {ELSEWHERE}"
    if outcome.returncode == 0:
        return None
    if missing := _missing(program):
        packages = sorted({PACKAGES[one] for one in missing if one in PACKAGES})
        whole = len(packages) and all(one in PACKAGES for one in missing)
        install = f"apt install {' '.join(packages)} (Debian, Ubuntu), or " if whole else ""
        return (
            f"MongoDB cannot start because this machine lacks {', '.join(missing)}: "
            f"{install}{ELSEWHERE}"
        )
    if outcome.returncode == -signal.SIGILL:
        lacks = INSTRUCTIONS.get(platform.machine(), "instructions that it needs")
        return f"MongoDB cannot start because this processor lacks {lacks}: {ELSEWHERE}"
    said = (outcome.stderr.strip().splitlines() or [ended(outcome.returncode)])[-1]
    return f"MongoDB cannot start ({said}): {ELSEWHERE}"


def _missing(program: str) -> list[str]:
    """The libraries that a program wants and this machine does not have."""
    try:
        # The system's loader lists them all; started, the program tells of the first alone.
        listed = _run(program, LD_TRACE_LOADED_OBJECTS="1").stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return sorted(set(MISSING.findall(listed)))


def _run(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
