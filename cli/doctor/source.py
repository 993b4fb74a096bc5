"""Checks that the price source answers, accepts the key, and has calls left."""

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
from cli.doctor.finding import Finding, problem
from logs.redaction import plain
from quota.limiter import CallWindows
from settings import Settings, is_loopback

TIMEOUT = (3.0, 4.0)  # to connect, and for each part of the answer
MAX_BYTES = 65_536
# A pro key can be checked at /key, which costs nothing; a demo key has no such endpoint.
KEY_PATHS = {"demo": "/simple/price?ids=bitcoin&vs_currencies=usd", "pro": "/key"}
KEY_HEADERS = {"demo": "x-cg-demo-api-key", "pro": "x-cg-pro-api-key"}
CHECK_KEY = "check COINGECKO_API_KEY and COINGECKO_PLAN"


class SourceFault(Exception):
    """The source did not answer as it should; carries the finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


def source(settings: Settings) -> list[Finding]:
    """Checks CoinGecko, or the simulator in its place, and the key if there is one."""
    url = settings.coingecko_api_url
    try:
        asked = datetime.now(UTC)
        answer = _ask(settings, "/ping")
        found = [Finding("source", "ok", f"{_host(url)} answers")]
        if date := answer.date:
            found.append(compare(_host(url), date, asked))
        if settings.coingecko_api_key is not None:
            found.append(_key(settings))
    except SourceFault as error:
        return [error.finding]
    return found


def second(settings: Settings) -> list[Finding]:
    """Checks the fallback source."""
    url = settings.coinpaprika_api_url
    try:
        _get(url + "/global", {}, "second source", settings)
    except SourceFault as error:
        return [error.finding]
    return [Finding("second source", "ok", f"{_host(url)} answers")]


def calls(settings: Settings, redis_url: str) -> list[Finding]:
    """Reports the calls that are left, as Redis counts them for all processes."""
    if settings.budget is None:
        return [Finding("calls", "ok", "no limit: the source is on this machine")]
    try:
        storage = RedisStorage(redis_url, socket_timeout=2, socket_connect_timeout=2)
        minute, month = CallWindows.of(settings.budget).left(storage, datetime.now(UTC))
    except Exception as error:  # Redis has its own check
        return [Finding("calls", "idle", f"unknown: Redis counts them ({type(error).__name__})")]
    text = f"{minute} of {settings.budget.per_minute} left this minute"
    if month is None:
        return [Finding("calls", "ok", text)]
    text += f", {month:,} of {settings.budget.per_month:,} this month"
    if month:
        return [Finding("calls", "ok", text)]
    cure = "wait for next month, choose a larger plan, or raise COINGECKO_CALLS_PER_MONTH"
    return [problem("calls", text, cure)]


def _key(settings: Settings) -> Finding:
    plan = str(settings.coingecko_plan)
    answer = _ask(settings, KEY_PATHS[plan])
    left = answer.get("current_remaining_monthly_calls") if isinstance(answer, dict) else None
    if left is None:
        return Finding("key", "ok", f"accepted, plan {plan}")
    if left == 0:
        return problem("key", "has no calls left this month", "choose a larger plan")
    return Finding("key", "ok", f"accepted, {left:,} calls left this month according to CoinGecko")


class Answer(dict[str, Any]):
    """A JSON object, with the time of the server's answer."""

    date: datetime | None = None


def _ask(settings: Settings, path: str) -> Answer:
    key, plan = settings.coingecko_api_key, settings.coingecko_plan
    headers = {KEY_HEADERS[plan]: key.get_secret_value()} if key and plan else {}
    return _get(settings.coingecko_api_url + path, headers, "source", settings)


def _get(url: str, headers: dict[str, str], check: str, settings: Settings) -> Answer:
    host = _host(url)
    try:
        with requests.Session() as session:
            # A proxy of the environment must not intercept calls to a source on this machine.
            session.trust_env = not is_loopback(urlsplit(url).hostname or "")
            session.auth = lambda request: request  # else requests sends the login in ~/.netrc
            headers = {"Accept": "application/json", "User-Agent": "koinx", **headers}
            with session.get(
                url, headers=headers, timeout=TIMEOUT, stream=True, allow_redirects=False
            ) as response:
                body = response.raw.read(MAX_BYTES, decode_content=True)
                status, date = response.status_code, response.headers.get("Date")
                after = response.headers.get("Retry-After")
    except (requests.RequestException, OSError) as error:
        raise SourceFault(_unreachable(check, host, error, settings)) from error
    if status == codes.ok:
        return _answer(check, host, body, date)
    if status == codes.too_many_requests:
        wait = f", and asks to wait {after} s" if after else ""
        cure = "nothing to do, KoinX retries; a CoinGecko key allows more calls"
        raise SourceFault(problem(check, f"{host} limits the calls (429){wait}", cure))
    if status in (codes.unauthorized, codes.forbidden, codes.bad_request):
        raise SourceFault(
            problem("key", f"{host} rejects the call ({status}): {_brief(body)}", CHECK_KEY)
        )
    raise SourceFault(
        problem(
            check, f"{host} answered {status}: {_brief(body)}", "wait: the fault is at the source"
        )
    )


def _answer(check: str, host: str, body: bytes, date: str | None) -> Answer:
    try:
        answer = Answer(json.loads(body))
    except (ValueError, TypeError):
        cure = "check COINGECKO_API_URL, and whether a proxy answers instead"
        raise SourceFault(
            problem(check, f"{host} did not answer with JSON: {_brief(body)}", cure)
        ) from None
    with suppress(ValueError):
        when = parsedate_to_datetime(date or "")
        answer.date = when if when.tzinfo else None
    return answer


def _unreachable(check: str, host: str, error: Exception, settings: Settings) -> Finding:
    if settings.market != "live":
        return problem(
            check, f"the simulated market at {host} does not answer", "./koinx restart market"
        )
    text = plain(error)
    if "NameResolution" in text or "name resolution" in text:
        return problem(
            check,
            f"{host} was not found",
            "check the internet connection; ./koinx up --demo needs none",
        )
    cure = "check the internet connection and the proxy; ./koinx up --demo needs neither"
    return problem(check, f"{host} is unreachable ({type(error).__name__})", cure)


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _brief(body: bytes) -> str:
    return " ".join(body[:500].decode("utf-8", "replace").split())[:120] or "an empty answer"
