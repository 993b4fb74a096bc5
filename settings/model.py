"""Every setting with its type, default and validation, and the combinations that are invalid."""

import ipaddress
import re
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from croniter import CroniterBadDateError, croniter
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from logs import redaction
from quota.planner import Budget, CoinSelection, budget_error
from settings.coin_selection import MAX_TOP, parse_coins
from settings.redis_tls import verifying
from settings.secrets import clean, secret_texts

ROOT = Path(__file__).resolve().parent.parent
PUBLIC_URL = "https://api.coingecko.com/api/v3"
PRO_URL = "https://pro-api.coingecko.com/api/v3"
MAX_CALLS = 100_000  # per minute: more than any source allows
MAX_DAYS = 36_500
MIN_SECRET_LENGTH = 16  # of a key or password that protects against other machines
CRON_FIELD = re.compile(r"(?:\d+|\*|[a-z]{3}|[,/-])+", re.IGNORECASE)
# The fallback source's currencies: `quotes` at
# https://docs.coinpaprika.com/api-reference/tickers/get-tickers-for-all-active-coins.
_FALLBACK_CURRENCIES = """
usd eur pln krw gbp cad jpy rub try nzd aud chf uah hkd sgd ngn php mxn brl thb clp
cny czk dkk huf idr ils inr myr nok pkr sek twd zar vnd bob cop pen ars isk
"""
FALLBACK_CURRENCIES = frozenset(_FALLBACK_CURRENCIES.split())
# It has prices in these too, with eight decimals: of half a cent in btc, one digit is left.
COARSE_CURRENCIES = frozenset({"btc", "eth"})

ServerSetting = Literal["mongodb_uri", "nats_url", "redis_url"]
Port = Annotated[int, Field(ge=1, le=65535, description="a whole number from 1 to 65535")]


def is_loopback(host: str) -> bool:
    """Returns whether only this machine can reach a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Settings(BaseModel):
    """The settings in force; `.env.example` lists them all."""

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
    coingecko_calls_per_minute: int | None = Field(
        default=None, ge=1, le=MAX_CALLS, description=f"a whole number from 1 to {MAX_CALLS}"
    )
    coingecko_calls_per_month: int | None = Field(
        default=None, ge=1, le=100_000_000, description="a whole number from 1 to 100000000"
    )

    second_source: Literal["coinpaprika"] | None = None
    coinpaprika_api_url: str = "https://api.coinpaprika.com/v1"

    rollup_after: int = Field(
        default=7, ge=0, le=MAX_DAYS, description=f"days, a whole number from 0 (off) to {MAX_DAYS}"
    )
    retention: int = Field(
        default=0, ge=0, le=MAX_DAYS, description=f"days, a whole number from 0 (off) to {MAX_DAYS}"
    )

    mongodb_uri: SecretStr | None = None
    nats_url: SecretStr | None = None
    redis_url: SecretStr | None = None

    api_host: str = "127.0.0.1"
    api_port: Port = 3000
    api_workers: int = Field(default=2, ge=1, le=64, description="a whole number from 1 to 64")
    api_key: SecretStr | None = None
    local_access: Literal["machine", "key"] = "machine"
    dash_host: str = "127.0.0.1"
    dash_port: Port = 8050
    dash_password: SecretStr | None = None
    dash_api_url: str | None = None
    dash_read_only: bool = Field(default=False, description="true or false")

    webhook_url: SecretStr | None = None

    simulator_seed: int = Field(default=1, description="a whole number")
    simulator_coins: int = Field(
        default=300, ge=1, le=MAX_TOP, description=f"a whole number from 1 to {MAX_TOP}"
    )
    simulator_replay: Path | None = None

    koinx_home: Path = Path("var")

    @field_validator("*", mode="before")
    @classmethod
    def _clean_secret(cls, value: Any, info: ValidationInfo) -> Any:
        if str(info.field_name).upper() not in SECRETS or value is None:
            return value
        return clean(value.get_secret_value() if isinstance(value, SecretStr) else str(value))

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
            raise ValueError("a schedule whose day exists: there is no 30th of February") from None
        return text

    @field_validator("coingecko_api_url", "coinpaprika_api_url", "dash_api_url")
    @classmethod
    def _http_url(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
            raise ValueError(
                "an address that begins with http:// or https://, without a query or a password"
            )
        return url.rstrip("/") if url else url

    @field_validator("webhook_url")
    @classmethod
    def _webhook_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url.get_secret_value()):
            raise ValueError("an address that begins with http:// or https://")
        return url

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
        if url is None:
            return None
        # A MongoDB URI may name several hosts.
        if not _is_readable(url.get_secret_value(), with_port=info.field_name != "mongodb_uri"):
            raise ValueError(
                "an address whose host and port can be read: in a password write / as %2F, "
                "@ as %40 and : as %3A"
            )
        if info.field_name == "redis_url":
            return SecretStr(verifying(url.get_secret_value()))
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
        # The public address, the default in `.env.example`, rejects pro keys.
        url = values.get("coingecko_api_url", PUBLIC_URL)
        if values.get("coingecko_plan") == "pro" and str(url).rstrip("/") == PUBLIC_URL:
            return {**values, "coingecko_api_url": PRO_URL}
        return values

    @model_validator(mode="after")
    def _together(self) -> "Settings":
        # From here on, this process masks them in its log and its error messages.
        redaction.know(secret_texts(self))
        errors = conflicts(dict(self))
        if (budget := self.budget) and (
            error := budget_error(self.selection, self.cron_schedule, budget)
        ):
            errors.append(error)
        if error := fallback_error(self.second_source, self.currency):
            errors.append(error)
        if errors:
            raise ValueError("; ".join(errors))
        return self

    @cached_property
    def selection(self) -> CoinSelection:
        """The coins to collect."""
        return parse_coins(self.coins)

    @cached_property
    def budget(self) -> Budget | None:
        """The allowed calls to the source; None if it is on this machine and has no limit."""
        given = self.coingecko_calls_per_minute, self.coingecko_calls_per_month
        if self.market != "live" or is_loopback(urlsplit(self.coingecko_api_url).hostname or ""):
            return Budget(given[0] or MAX_CALLS, given[1]) if any(given) else None
        return Budget.of(self.coingecko_plan, *given)

    @property
    def database(self) -> str:
        """The database's name: one per market and currency, so real and simulated never mix."""
        return f"koinx_{self.market}_{self.currency}"

    @property
    def source(self) -> str:
        """The source of this market's quotes, as the API names it."""
        return {"live": "coingecko", "demo": "simulator", "replay": "replay"}[self.market]

    @property
    def market_mismatch(self) -> str | None:
        """Explains if real prices would be stored as simulated ones; None if not."""
        host = urlsplit(self.coingecko_api_url).hostname or ""
        if self.market == "live" or not f".{host}".endswith(".coingecko.com"):
            return None
        return (
            f"MARKET={self.market} stores simulated prices, but COINGECKO_API_URL is {host}: "
            "set it to the simulator's address, or MARKET=live"
        )

    @property
    def fallback_label(self) -> str:
        """The source of the fallback's quotes, which never labels simulated prices as real."""
        return f"{self.source}-2" if self.market != "live" else str(self.second_source)

    @property
    def run_folder(self) -> Path:
        """The folder of the supervisor's files."""
        return self.koinx_home / "run"

    def server(self, name: ServerSetting) -> str:
        """Returns the address of a server; exits if there is none."""
        url: SecretStr | None = getattr(self, name)
        if url is None:
            sys.exit(
                f"{name.upper()} is not set and no embedded server runs: run ./koinx up, or set it"
            )
        return url.get_secret_value()

    def environment(self) -> dict[str, str]:
        """Returns these settings as environment variables."""
        values: dict[str, str] = {}
        for name, value in self:
            if isinstance(value, SecretStr):
                values[name.upper()] = value.get_secret_value()
            elif isinstance(value, bool):
                values[name.upper()] = str(value).lower()
            elif value is not None:
                values[name.upper()] = str(value)
        return values


NAMES = tuple(name.upper() for name in Settings.model_fields)
SECRETS = tuple(
    name.upper()
    for name, field in Settings.model_fields.items()
    if "SecretStr" in str(field.annotation)
)


def _is_readable(url: str, *, with_port: bool) -> bool:
    """Returns whether the parts are unambiguous: errors would quote a misread password."""
    try:
        parts = urlsplit(url)
        return (not with_port or parts.port != -1) and "@" not in parts.path + parts.query
    except ValueError:
        return False


def _plain(secret: SecretStr | str | None) -> str | None:
    return secret.get_secret_value() if isinstance(secret, SecretStr) else secret


def conflicts(values: Mapping[str, Any]) -> list[str]:
    """Returns a line for each invalid combination of settings; `values` go by field name."""
    errors = []
    if (values["coingecko_api_key"] is None) != (values["coingecko_plan"] is None):
        # Keys begin with CG- for both plans, so the plan cannot be derived from the key.
        errors.append("COINGECKO_API_KEY and COINGECKO_PLAN (demo or pro) must be set together")
    for host, key in (("api_host", "api_key"), ("dash_host", "dash_password")):
        secret = _plain(values[key])
        if not is_loopback(values[host]):
            why = f"{host.upper()}={values[host]} is open to other machines: "
        elif key == "api_key" and values["local_access"] == "key" and secret is not None:
            why = "LOCAL_ACCESS=key counts no wrong keys from this machine: "
        else:
            continue
        if secret is None:
            errors.append(f"{why}set {key.upper()} as well")
        elif len(secret) < MIN_SECRET_LENGTH:
            errors.append(
                f"{why}{key.upper()} has {len(secret)} characters, at least {MIN_SECRET_LENGTH} "
                "are needed. openssl rand -hex 16 prints a good one"
            )
    return errors


def fallback_error(name: str | None, currency: str) -> str | None:
    """Explains why the fallback source cannot be used with a currency; None if it can."""
    if name is None or currency in FALLBACK_CURRENCIES:
        return None
    if currency in COARSE_CURRENCIES:
        return (
            f"SECOND_SOURCE={name} rounds prices in CURRENCY={currency} to 8 decimals, which makes "
            "low ones up to 100 % wrong: leave SECOND_SOURCE empty, or use a national currency "
            "such as CURRENCY=usd"
        )
    return (
        f"SECOND_SOURCE={name} has no prices in CURRENCY={currency}: leave SECOND_SOURCE empty, or "
        f"take one of {', '.join(sorted(FALLBACK_CURRENCIES))}"
    )
