"""Finds a mongod that runs on this machine, or explains why none does."""

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
from supervisor.process import describe_exit

USE_YOUR_OWN = "set MONGODB_URI to a MongoDB of your own"
# The Debian and Ubuntu packages of libraries that mongod needs and not every machine has.
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
    """Returns the mongod on PATH, or else of the installed package; None if neither runs here."""
    programs = (shutil.which("mongod"), packaged())
    return next((one for one in programs if one and startup_error(one) is None), None)


def packaged() -> str | None:
    """Returns the mongod of the installed package; None if this platform has no package."""
    program = Path(sysconfig.get_path("purelib")) / "fiftyone" / "db" / "bin" / "mongod"
    if not program.is_file():
        return None
    if not os.access(program, os.X_OK):
        program.chmod(0o755)
    return str(program)


def has_secantus() -> bool:
    """Returns whether SecantusDB, which is about 60 times slower, is installed."""
    return find_spec("secantus") is not None


def why_unavailable() -> str:
    """Explains why no mongod runs here, and what to do."""
    program = packaged()
    if program is None:
        here = f"{platform.system()} on {platform.machine()}"
        return f"no package provides MongoDB for {here}: {USE_YOUR_OWN}"
    return startup_error(program) or f"{program} is running now: run the command again"


def startup_error(program: str) -> str | None:
    """Explains why a program cannot even print its version; None if it can."""
    try:
        outcome = _run(program, "--version")
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"MongoDB cannot start ({plain(error)}): {USE_YOUR_OWN}"
    if outcome.returncode == 0:
        return None
    if missing := _missing_libraries(program):
        packages = sorted({PACKAGES[one] for one in missing if one in PACKAGES})
        all_known = all(one in PACKAGES for one in missing)
        install = f"apt install {' '.join(packages)} (Debian, Ubuntu), or " if all_known else ""
        return (
            f"MongoDB cannot start because this machine lacks {', '.join(missing)}: "
            f"{install}{USE_YOUR_OWN}"
        )
    if outcome.returncode == -signal.SIGILL:
        lacks = INSTRUCTIONS.get(platform.machine(), "instructions that it needs")
        return f"MongoDB cannot start because this processor lacks {lacks}: {USE_YOUR_OWN}"
    message = (outcome.stderr.strip().splitlines() or [describe_exit(outcome.returncode)])[-1]
    return f"MongoDB cannot start ({message}): {USE_YOUR_OWN}"


def _missing_libraries(program: str) -> list[str]:
    """Returns the libraries that a program needs and this machine lacks."""
    try:
        # The dynamic loader lists them all; the program itself would only name the first.
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
