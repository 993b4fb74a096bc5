"""Loads the settings from the environment, `.env`, and the running system."""

import contextlib
import difflib
import json
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError

from logs.redaction import plain, without_credentials
from settings.model import NAMES, ROOT, SECRETS, Settings, conflicts

RUNNING_FILE = "running.json"  # in KOINX_HOME/run: the settings of the running processes
OWN_PREFIXES = ("KOINX_", "COINGECKO_", "SIMULATOR_")
FOREIGN_PREFIXES = ("COMPOSE_", "DOCKER_")  # docker compose reads the same `.env`


class SettingsError(Exception):
    """One or more settings are invalid; `errors` has a line for each."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def load(environ: Mapping[str, str] | None = None, *, running: bool = True) -> Settings:
    """Loads the settings from `environ` (default: this process's), `.env`, and what is running.

    `running=False` ignores the settings with which `./koinx up` runs. `KOINX_ENV_FILE` names
    another file than `.env`, or none if empty. Raises SettingsError with a line for each invalid
    value and each name that looks misspelt.
    """
    environ = os.environ if environ is None else environ
    file, from_file = _env_file(environ)
    chosen = {
        name: text
        for name, value in (from_file | dict(environ)).items()
        if name in NAMES and (text := value.strip() if name in SECRETS else value)
    }
    values = (_running(home(environ)) if running else {}) | chosen
    errors = _misspelt(environ, from_file, file.name)
    given = {name.lower(): text for name, text in values.items()}
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        errors += [_line(e, values) for e in error.errors() if e["loc"]]
        # pydantic checks combinations only if each setting by itself is valid.
        defaults = {name: field.default for name, field in Settings.model_fields.items()}
        raise SettingsError(errors + conflicts(defaults | given)) from None
    if errors:
        raise SettingsError(errors)
    return settings


def load_or_exit() -> Settings:
    """Loads the settings at a process's start; exits with every error if any is invalid."""
    try:
        return load()
    except SettingsError as error:
        sys.exit(f"KoinX cannot start:\n{error}")


def version() -> str:
    """Returns KoinX's version, as `pyproject.toml` names it."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def home(environ: Mapping[str, str] | None = None) -> Path:
    """Returns `KOINX_HOME` alone, so that `down` works although another setting is invalid."""
    environ = os.environ if environ is None else environ
    value = environ.get("KOINX_HOME")
    if not value:
        with contextlib.suppress(SettingsError):
            value = _env_file(environ)[1].get("KOINX_HOME")
    return ROOT / Path(value or "var").expanduser()


def _env_file(environ: Mapping[str, str]) -> tuple[Path, dict[str, str]]:
    file = environ.get("KOINX_ENV_FILE", str(ROOT / ".env"))
    try:
        if environ.get("KOINX_ENV_FILE") and not Path(file).exists():
            raise SettingsError([f"KOINX_ENV_FILE={file}: file not found"])
        values = dotenv_values(file) if file else {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{file} cannot be read: {plain(error)}"]) from None
    return Path(file), {name: value or "" for name, value in values.items()}


def _running(home: Path) -> dict[str, str]:
    """Returns the settings of this home's running processes; {} if there are none."""
    try:
        values = json.loads((home / "run" / RUNNING_FILE).read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(values, dict):
        return {}
    return {name: value for name, value in values.items() if name in NAMES}


def _misspelt(environ: Mapping[str, str], from_file: Mapping[str, str], file: str) -> list[str]:
    """Returns a line for each unknown name: all in the file, likely typos in the environment."""
    known = {*NAMES, "KOINX_ENV_FILE"}
    errors = [
        f"Unknown setting {name} in {file}{_nearest(name, 0.6)}"
        for name in from_file
        if name not in known and not name.startswith(FOREIGN_PREFIXES)
    ]
    for name in environ:
        if name in known or name in from_file:
            continue
        if name.startswith(OWN_PREFIXES) or _nearest(name, 0.88):
            errors.append(f"Unknown setting {name} in the environment{_nearest(name, 0.6)}")
    return errors


def _nearest(name: str, cutoff: float) -> str:
    found = difflib.get_close_matches(name.upper(), NAMES, n=1, cutoff=cutoff)
    return f"; did you mean {found[0]}?" if found else ""


def _line(error: Any, values: Mapping[str, str]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    name = str(error["loc"][0]).upper()
    allowed = Settings.model_fields[name.lower()].description
    message = allowed if error["type"] != "value_error" and allowed else message
    value = without_credentials(values.get(name, ""))
    if name.endswith("_URL"):
        value = re.sub(r"[?#].*", "?…", value, flags=re.DOTALL)  # a key may be there
    shown = "a secret value" if name in SECRETS else repr(value)
    return f"{name}={shown}: {message}"
