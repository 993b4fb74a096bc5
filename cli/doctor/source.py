"""Whether the source of the prices answers, takes our key, and leaves us calls."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from limits.storage import RedisStorage
from requests import codes

from cli.doctor.clock import compare
from cli.doctor.finding import Finding, fault
from logs.redaction import plain
from quota.limiter import Windows
from settings import Settings, is_loopback

SECONDS = (3.0, 4.0)  # to connect, and for each piece of the answer
MOST = 65_536  # bytes that are read
# A demo key has no question of its own that costs nothing; a pro key has /key.
KEY_QUESTION = {"demo": "/simple/price?ids=bitcoin&vs_currencies=usd", "pro": "/key"}
KEY_HEADERS = {"demo": "x-cg-demo-api-key", "pro": "x-cg-pro-api-key"}
SEE = "see COINGECKO_API_KEY and COINGECKO_PLAN"


class Refused(Exception):
    """The source did not answer as it should; carries the finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


def source(settings: Settings) -> list[Finding]:
    """CoinGecko, or what stands in its place; with a key it is asked whether that is good."""
    url = settings.coingecko_api_url
    try:
        asked = datetime.now(UTC)
        answer = _ask(settings, "/ping")
        found = [Finding("source", "ok", f"{_host(url)} answers")]
        if date := answer.date:
            found.append(compare(_host(url), date, asked))
        if settings.coingecko_api_key is not None:
            found.append(_key(settings))
    except Refused as error:
        return [error.finding]
    return found


def second(settings: Settings) -> list[Finding]:
    """The second source, where one is set."""
    url = settings.coinpaprika_api_url
    try:
        _get(url + "/global", {}, "second source", settings)
    except Refused as error:
        return [error.finding]
    return [Finding("second source", "ok", f"{_host(url)} answers")]


def calls(settings: Settings, redis_url: str) -> list[Finding]:
    """The calls that are left, as Redis counts them for all processes."""
    if settings.budget is None:
        return [Finding("calls", "ok", "a source on this machine has no limit")]
    try:
        storage = RedisStorage(redis_url, socket_timeout=2, socket_connect_timeout=2)
        minute, month = Windows.of(settings.budget).left(storage, datetime.now(UTC))
    except Exception as error:  # Redis has a line of its own
        return [Finding("calls", "idle", f"not known: Redis counts them ({type(error).__name__})")]
    text = f"{minute} of {settings.budget.per_minute} left in this minute"
    if month is None:
        return [Finding("calls", "ok", text)]
    text += f", {month:,} of {settings.budget.per_month:,} in this month"
    if month:
        return [Finding("calls", "ok", text)]
    cure = "wait for the next month, take a greater plan, or raise COINGECKO_CALLS_PER_MONTH"
    return [fault("calls", text, cure)]


def _key(settings: Settings) -> Finding:
    plan = str(settings.coingecko_plan)
    answer = _ask(settings, KEY_QUESTION[plan])
    left = answer.get("current_remaining_monthly_calls") if isinstance(answer, dict) else None
    if left is None:
        return Finding("key", "ok", f"is taken, plan {plan}")
    if left == 0:
        return fault("key", "has no calls left in this month", "take a greater plan")
    return Finding("key", "ok", f"is taken, {left:,} calls left in this month by its own count")


class Answer(dict[str, Any]):
    """A JSON object with the time at which the server says that it gave it."""

    date: datetime | None = None


def _ask(settings: Settings, path: str) -> Answer:
    key, plan = settings.coingecko_api_key, settings.coingecko_plan
    headers = {KEY_HEADERS[plan]: key.get_secret_value()} if key and plan else {}
    return _get(settings.coingecko_api_url + path, headers, "source", settings)


def _get(url: str, headers: dict[str, str], check: str, settings: Settings) -> Answer:
    host = _host(url)
    try:
        with requests.Session() as session:
            # A proxy of the environment must not stand between us and a source on this machine.
            session.trust_env = not is_loopback(urlsplit(url).hostname or "")
            session.auth = lambda request: request  # else requests sends what ~/.netrc has
            headers = {"Accept": "application/json", "User-Agent": "koinx", **headers}
            with session.get(
                url, headers=headers, timeout=SECONDS, stream=True, allow_redirects=False
            ) as response:
                body = response.raw.read(MOST, decode_content=True)
                status, date = response.status_code, response.headers.get("Date")
                after = response.headers.get("Retry-After")
    except (requests.RequestException, OSError) as error:
        raise Refused(_unreachable(check, host, error, settings)) from error
    if status == codes.ok:
        return _answer(check, host, body, date)
    if status == codes.too_many_requests:
        wait = f", and asks to wait {after} s" if after else ""
        cure = "nothing: it is tried again by itself; a key of CoinGecko's allows more"
        raise Refused(fault(check, f"{host} limits the calls (429){wait}", cure))
    if status in (codes.unauthorized, codes.forbidden, codes.bad_request):
        raise Refused(fault("key", f"{host} refuses the call ({status}): {_brief(body)}", SEE))
    raise Refused(
        fault(check, f"{host} answered {status}: {_brief(body)}", "wait: it is the source's own")
    )


def _answer(check: str, host: str, body: bytes, date: str | None) -> Answer:
    try:
        answer = Answer(json.loads(body))
    except (ValueError, TypeError):
        cure = "look at COINGECKO_API_URL, and whether a proxy answers in its place"
        raise Refused(fault(check, f"{host} answered no JSON: {_brief(body)}", cure)) from None
    with suppress(ValueError):
        when = parsedate_to_datetime(date or "")
        answer.date = when if when.tzinfo else None
    return answer


def _unreachable(check: str, host: str, error: Exception, settings: Settings) -> Finding:
    if settings.market != "live":
        return fault(
            check, f"the simulated market at {host} does not answer", "./koinx restart market"
        )
    text = plain(error)
    if "NameResolution" in text or "name resolution" in text:
        return fault(
            check, f"{host} was not found", "see to the internet; ./koinx up --demo needs none"
        )
    cure = "see to the internet, and to a proxy that may be needed; ./koinx up --demo needs none"
    return fault(check, f"{host} could not be reached ({type(error).__name__})", cure)


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _brief(body: bytes) -> str:
    return " ".join(body[:500].decode("utf-8", "replace").split())[:120] or "an empty answer"
