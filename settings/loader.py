"""Where settings come from: the environment, `.env`, and what runs already."""

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
from settings.model import NAMES, ROOT, SECRETS, Settings, clashes

RUNNING_FILE = "running.json"  # in KOINX_HOME/run: what the supervisor started its processes with
OWN_PREFIXES = ("KOINX_", "COINGECKO_", "SIMULATOR_")
FOREIGN_PREFIXES = ("COMPOSE_", "DOCKER_")  # docker compose reads the same `.env`


class SettingsError(Exception):
    """One or more settings are wrong; `errors` has a line for each."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def load(environ: Mapping[str, str] | None = None, *, running: bool = True) -> Settings:
    """The settings from `environ` (default: this process's), then `.env`, then what runs.

    `running=False` leaves out what `./koinx up` runs with. `KOINX_ENV_FILE` names another file
    than `.env`; empty, none is read. Raises SettingsError with a line for each value that is
    wrong and each name that looks like a misspelt one.
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
        # pydantic looks at settings together only when each of them is right by itself.
        defaults = {name: field.default for name, field in Settings.model_fields.items()}
        raise SettingsError(errors + clashes(defaults | given)) from None
    if errors:
        raise SettingsError(errors)
    return settings


def load_or_exit() -> Settings:
    """The settings, for a process's own start: it ends here, with every error, if any is wrong."""
    try:
        return load()
    except SettingsError as error:
        sys.exit(f"KoinX cannot start:\n{error}")


def version() -> str:
    """Returns KoinX's version, as `pyproject.toml` names it."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def home(environ: Mapping[str, str] | None = None) -> Path:
    """`KOINX_HOME` alone, so that a wrong setting elsewhere never keeps anyone from stopping."""
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
            raise SettingsError([f"KOINX_ENV_FILE={file}: there is no such file"])
        values = dotenv_values(file) if file else {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{file} cannot be read: {plain(error)}"]) from None
    return Path(file), {name: value or "" for name, value in values.items()}


def _running(home: Path) -> dict[str, str]:
    """What a supervisor of this home started its processes with; {} when none did."""
    try:
        values = json.loads((home / "run" / RUNNING_FILE).read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(values, dict):
        return {}
    return {name: value for name, value in values.items() if name in NAMES}


def _misspelt(environ: Mapping[str, str], from_file: Mapping[str, str], file: str) -> list[str]:
    """A line for each name that is no setting: any in the file, the likely ones elsewhere."""
    known = {*NAMES, "KOINX_ENV_FILE"}
    errors = [
        f"{name} in {file} is no setting{_nearest(name, 0.6)}"
        for name in from_file
        if name not in known and not name.startswith(FOREIGN_PREFIXES)
    ]
    for name in environ:
        if name in known or name in from_file:
            continue
        if name.startswith(OWN_PREFIXES) or _nearest(name, 0.88):
            errors.append(f"{name} in the environment is no setting{_nearest(name, 0.6)}")
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
