"""Every setting, read from the environment and `.env`, typed; all errors are told at once."""

import contextlib
import difflib
import ipaddress
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from croniter import CroniterBadDateError, croniter
from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

ROOT = Path(__file__).resolve().parent
RUNNING_FILE = "running.json"  # in KOINX_HOME/run: what the supervisor started its processes with
PUBLIC_URL = "https://api.coingecko.com/api/v3"
PRO_URL = "https://pro-api.coingecko.com/api/v3"
MAX_ID_LENGTH = 128
MAX_TOP = 20_000  # CoinGecko listed 17,892 coins in August 2025
OWN_PREFIXES = ("KOINX_", "COINGECKO_", "SIMULATOR_")
FOREIGN_PREFIXES = ("COMPOSE_", "DOCKER_")  # docker compose reads the same `.env`
CRON_FIELD = re.compile(r"(?:\d+|\*|[a-z]{3}|[,/-])+", re.IGNORECASE)

Port = Annotated[int, Field(ge=1, le=65535, description="a whole number from 1 to 65535")]


class SettingsError(Exception):
    """One or more settings are wrong; `errors` has a line for each."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True)
class CoinSelection:
    """Which coins are collected: `ids` by name, and the `top` coins by market cap (0: none)."""

    ids: tuple[str, ...]
    top: int


def parse_coins(text: str) -> CoinSelection:
    """`bitcoin,top:100` as a selection; raises ValueError naming the part that is wrong."""
    ids: dict[str, None] = {}
    top = 0
    for part in (part.strip() for part in text.split(",")):
        if part.startswith("top:"):
            number = part.removeprefix("top:")
            if not (number.isascii() and number.isdigit() and 1 <= int(number) <= MAX_TOP):
                raise ValueError(f"{part!r}: after top: comes a number from 1 to {MAX_TOP}")
            top = max(top, int(number))
        elif not part or len(part) > MAX_ID_LENGTH or not part.isprintable():
            raise ValueError(
                f"{part!r} is no coin id: 1 to {MAX_ID_LENGTH} printable characters, no comma"
            )
        else:
            ids[part] = None
    return CoinSelection(tuple(ids), top)


def is_loopback(host: str) -> bool:
    """Whether a listener on `host` can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Settings(BaseModel):
    """The values in force; names and defaults are listed in `.env.example`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    coins: str = "bitcoin,ethereum,matic-network,top:100"
    currency: str = Field(
        default="usd", pattern=r"^[a-z]{2,10}$", description="a lower-case code such as usd"
    )
    cron_schedule: str = "*/15 * * * *"
    market: Literal["live", "demo", "replay"] = "live"

    coingecko_api_url: str = PUBLIC_URL
    coingecko_api_key: SecretStr | None = None
    coingecko_plan: Literal["demo", "pro"] | None = None

    mongodb_uri: SecretStr | None = None
    nats_url: SecretStr | None = None
    redis_url: SecretStr | None = None

    api_host: str = "127.0.0.1"
    api_port: Port = 3000
    api_workers: int = Field(default=2, ge=1, le=64, description="a whole number from 1 to 64")
    api_key: SecretStr | None = None
    dash_host: str = "127.0.0.1"
    dash_port: Port = 8050
    dash_password: SecretStr | None = None
    dash_api_url: str | None = None

    simulator_seed: int = Field(default=1, description="a whole number")
    simulator_coins: int = Field(
        default=300, ge=1, le=MAX_TOP, description=f"a whole number from 1 to {MAX_TOP}"
    )
    simulator_replay: Path | None = None

    koinx_home: Path = Path("var")

    @field_validator("coins")
    @classmethod
    def _coins(cls, text: str) -> str:
        parse_coins(text)
        return text

    @field_validator("cron_schedule")
    @classmethod
    def _cron_schedule(cls, text: str) -> str:
        fields = text.split()
        if (
            len(fields) not in (5, 6)
            or not all(CRON_FIELD.fullmatch(field) for field in fields)
            or not croniter.is_valid(text, second_at_beginning=True)
        ):
            raise ValueError("five cron fields, or six with seconds first, as in '*/15 * * * *'")
        try:
            croniter(text, second_at_beginning=True).get_next()
        except CroniterBadDateError:
            raise ValueError(
                "a schedule whose day comes: the 30th of February never does"
            ) from None
        return text

    @field_validator("coingecko_api_url", "dash_api_url")
    @classmethod
    def _http_url(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
            raise ValueError(
                "an address that begins with http:// or https://, without a query or a password"
            )
        return url.rstrip("/") if url else url

    @field_validator("mongodb_uri", "nats_url", "redis_url")
    @classmethod
    def _server_url(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        schemes = {
            "mongodb_uri": ("mongodb://", "mongodb+srv://"),
            "nats_url": ("nats://", "tls://"),
            "redis_url": ("redis://", "rediss://"),
        }[str(info.field_name)]
        if url is not None and not url.get_secret_value().startswith(schemes):
            raise ValueError(f"an address that begins with {' or '.join(schemes)}")
        return url

    @field_validator("koinx_home")
    @classmethod
    def _koinx_home(cls, home: Path) -> Path:
        return ROOT / home.expanduser()

    @field_validator("simulator_replay")
    @classmethod
    def _simulator_replay(cls, folder: Path | None) -> Path | None:
        if folder is not None and not folder.is_dir():
            raise ValueError("a folder with recorded pages")
        return folder

    @model_validator(mode="before")
    @classmethod
    def _url_by_plan(cls, values: Any) -> Any:
        # The public address, as `.env.example` names it, refuses a pro key.
        url = values.get("coingecko_api_url", PUBLIC_URL)
        if values.get("coingecko_plan") == "pro" and str(url).rstrip("/") == PUBLIC_URL:
            return {**values, "coingecko_api_url": PRO_URL}
        return values

    @model_validator(mode="after")
    def _together(self) -> "Settings":
        if errors := _clashes(dict(self)):
            raise ValueError("; ".join(errors))
        return self

    @cached_property
    def selection(self) -> CoinSelection:
        """The coins to collect."""
        return parse_coins(self.coins)

    @property
    def database(self) -> str:
        """One database for each market and currency: no simulated price meets a real one."""
        return f"koinx_{self.market}_{self.currency}"

    @property
    def source(self) -> str:
        """Where quotes of this market come from, as every answer names it."""
        return {"live": "coingecko", "demo": "simulator", "replay": "replay"}[self.market]

    @property
    def run_folder(self) -> Path:
        """Where the supervisor keeps what it must find again."""
        return self.koinx_home / "run"

    def server(self, name: Literal["mongodb_uri", "nats_url", "redis_url"]) -> str:
        """The address of a server; exits when nothing gave one."""
        url: SecretStr | None = getattr(self, name)
        if url is None:
            sys.exit(
                f"{name.upper()} is not set and no embedded server runs: ./koinx up, or set it"
            )
        return url.get_secret_value()

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for a process that is to share them."""
        values: dict[str, str] = {}
        for name, value in self:
            if isinstance(value, SecretStr):
                values[name.upper()] = value.get_secret_value()
            elif value is not None:
                values[name.upper()] = str(value)
        return values


NAMES = tuple(name.upper() for name in Settings.model_fields)
SECRETS = tuple(
    name.upper()
    for name, field in Settings.model_fields.items()
    if "SecretStr" in str(field.annotation)
)


def load(environ: Mapping[str, str] | None = None, *, running: bool = True) -> Settings:
    """The settings from `environ` (default: this process's), then `.env`, then what runs.

    `running=False` leaves out what `./koinx up` runs with. `KOINX_ENV_FILE` names another file
    than `.env`; empty, none is read. Raises SettingsError with a line for each value that is
    wrong and each name that looks like a misspelt one.
    """
    environ = os.environ if environ is None else environ
    file, from_file = _env_file(environ)
    chosen = {n: v for n, v in (from_file | dict(environ)).items() if n in NAMES and v != ""}
    values = (_running(home(environ)) if running else {}) | chosen
    errors = _misspelt(environ, from_file, file.name)
    given = {name.lower(): text for name, text in values.items()}
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        errors += [_line(e, values) for e in error.errors() if e["loc"]]
        # pydantic looks at settings together only when each of them is right by itself.
        defaults = {name: field.default for name, field in Settings.model_fields.items()}
        raise SettingsError(errors + _clashes(defaults | given)) from None
    if errors:
        raise SettingsError(errors)
    return settings


def load_or_exit() -> Settings:
    """The settings, for a process's own start: it ends here, with every error, if any is wrong."""
    try:
        return load()
    except SettingsError as error:
        sys.exit(f"KoinX cannot start:\n{error}")


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
        raise SettingsError([f"{file} cannot be read: {error}"]) from None
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


def _clashes(values: Mapping[str, Any]) -> list[str]:
    """A line for each pair of settings, by field name, that cannot be together."""
    errors = []
    if (values["coingecko_api_key"] is None) != (values["coingecko_plan"] is None):
        # Keys begin with CG- for both plans, so the plan cannot be guessed.
        errors.append("COINGECKO_API_KEY and COINGECKO_PLAN (demo or pro) are set together")
    for host, key in (("api_host", "api_key"), ("dash_host", "dash_password")):
        if not is_loopback(values[host]) and values[key] is None:
            errors.append(
                f"{host.upper()}={values[host]} is open to other machines: "
                f"set {key.upper()} as well"
            )
    return errors


def _line(error: Any, values: Mapping[str, str]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    name = str(error["loc"][0]).upper()
    allowed = Settings.model_fields[name.lower()].description
    message = allowed if error["type"] != "value_error" and allowed else message
    value = re.sub(r"//[^/]*@", "//…@", values.get(name, ""))  # a password in an address
    shown = "a secret value" if name in SECRETS else repr(value)
    return f"{name}={shown}: {message}"
