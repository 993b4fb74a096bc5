"""Calls a public HTTP API within a deadline and a size limit, and explains failures plainly.

It guards against what CoinGecko was seen to return: 429 as JSON, as HTML or as plain text, errors
in four shapes, responses that are slow, huge or cut short.
"""

import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
import tenacity
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url
from urllib3.exceptions import NameResolutionError

from logs.redaction import know, masked, plain
from market.sources import lenient_json

CHUNK = 65_536
CONNECT_SECONDS = 5.0
CALL_SECONDS = 10.0
ATTEMPTS = 4
FIRST_PAUSE = 0.4
LONGEST_PAUSE = 5.0
MAX_RETRY_AFTER = 3600.0
CONNECTIONS = 4


class SourceError(Exception):
    """The source returned nothing usable; the text says why in plain words.

    `permanent`: an immediate retry changes nothing. `retry_after`: seconds the source asks to wait.
    `unknown`: the source does not have what was asked for, and will not have it.
    """

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        unknown: bool = False,
    ) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.retry_after = retry_after
        self.unknown = unknown


class Deadline:
    """A point in monotonic time by which some work must end."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Returns the seconds left; 0 once it has passed."""
        return max(0.0, self._at - time.monotonic())


class HttpSource:
    """Calls the API at `url`; one for a process, shared by its threads.

    `headers` go with each call. A response has at most `max_bytes`. `settings` names the settings
    to check when the API refuses a call. `take` is called before each call: it waits for its turn
    within the deadline, or raises SourceError.
    """

    def __init__(
        self,
        url: str,
        *,
        max_bytes: int,
        headers: Mapping[str, str] | None = None,
        settings: str = "",
        take: Callable[[Deadline], None] = lambda _: None,
    ) -> None:
        self._take = take
        self._max_bytes = max_bytes
        self._settings = settings
        parts = urlsplit(url)
        self._url = url.rstrip("/")
        self.host = parts.hostname or url
        self._session = session(url)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.update({"Accept": "application/json", "User-Agent": "koinx"})
        self._session.headers.update(headers or {})
        know((headers or {}).values())  # a key, which a response may repeat
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=CONNECTIONS)
        self._session.mount(f"{parts.scheme}://", adapter)

    def close(self) -> None:
        """Closes the open connections."""
        self._session.close()

    def get(self, path: str, query: Mapping[str, str], deadline: Deadline) -> Any:
        """Returns the decoded response; retries with jittered pauses after temporary errors.

        Raises SourceError.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_temporary),
            wait=_pause,
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(ATTEMPTS), _StopAtDeadline(deadline)
            ),
            reraise=True,
        )
        return retrying(lambda: self._get(path, query, deadline))

    def get_list(self, path: str, query: Mapping[str, str], deadline: Deadline) -> list[Any]:
        """Returns a decoded list of coins, as `get` does. Raises SourceError."""
        found = self.get(path, query, deadline)
        if not isinstance(found, list):
            raise SourceError(f"{self.host} answered no list of coins: {brief(found)}")
        return found

    def _get(self, path: str, query: Mapping[str, str], deadline: Deadline) -> Any:
        if deadline.remaining():
            self._take(deadline)
        seconds = min(CALL_SECONDS, deadline.remaining())
        if seconds <= 0:
            raise SourceError(f"{self.host} was not asked: no time was left", permanent=True)
        # requests limits each wait for bytes, not their sum: a trickle would never end. The thread
        # is abandoned then, and ends with its connection.
        outcome: list[Any] = []
        call = threading.Thread(
            target=lambda: outcome.append(self._attempt(path, query, seconds)), daemon=True
        )
        call.start()
        call.join(seconds + 0.5)
        if not outcome:
            raise SourceError(f"{self.host} did not finish its answer within {seconds:.0f} s")
        if isinstance(outcome[0], SourceError):
            raise outcome[0]
        return outcome[0]

    def _attempt(self, path: str, query: Mapping[str, str], seconds: float) -> Any:
        """Returns the decoded response, or a SourceError as a value."""
        within = Deadline(seconds)
        try:
            with self._session.get(
                self._url + path,
                params=dict(query),
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
                stream=True,
                allow_redirects=False,
            ) as response:
                body = self._read(response, within)
                return self._decode(response, body)
        except SourceError as error:
            return error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            return SourceError(self._plain(error))
        except Exception as error:  # a thread's error must reach its caller
            return SourceError(f"{self.host}: {type(error).__name__}: {plain(error)}")

    def _read(self, response: requests.Response, within: Deadline) -> bytes:
        raw: urllib3.HTTPResponse = response.raw
        body = bytearray()
        while chunk := raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > self._max_bytes:
                raise SourceError(f"{self.host} answered more than {self._max_bytes} bytes")
            if not within.remaining():
                raise SourceError(f"{self.host} did not finish its answer in time")
        return bytes(body)

    def _decode(self, response: requests.Response, body: bytes) -> Any:
        status = response.status_code
        if status == requests.codes.ok:
            return self._document(body)
        message = _message(body)
        if status == requests.codes.too_many_requests:
            after = _retry_after(response.headers.get("Retry-After"))
            wait = "" if after is None else f", and asks to wait {after:.0f} s"
            raise SourceError(
                f"{self.host} limits the calls (429){wait}: {message}", retry_after=after
            )
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            refused, see = ("key", f"; see {self._settings}") if self._settings else ("call", "")
            raise SourceError(
                f"{self.host} refuses the {refused} ({status}): {message}{see}", permanent=True
            )
        temporary = (
            status >= requests.codes.server_error or status == requests.codes.request_timeout
        )
        raise SourceError(
            f"{self.host} answered {status}: {message}",
            permanent=not temporary,
            unknown=status == requests.codes.not_found,
        )

    def _document(self, body: bytes) -> Any:
        """Decodes a body; an invalid row is left to whoever reads the rows."""
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(body)
        try:
            return lenient_json.loads(body)
        except ValueError as error:
            reason = f"{self.host} answered no JSON ({plain(error)}): {brief(body)}"
            raise SourceError(reason) from None

    def _plain(self, error: Exception) -> str:
        cause: BaseException | None = error
        reason = getattr(error.args[0], "reason", None) if error.args else None
        if isinstance(reason, BaseException):
            cause = reason
        if isinstance(cause, NameResolutionError):
            return f"{self.host} was not found: no internet connection, or no name service"
        if isinstance(error, requests.Timeout):
            return f"{self.host} did not answer in time"
        if isinstance(error, requests.exceptions.SSLError):
            return f"{self.host} gave no certificate that can be trusted: {brief(plain(error))}"
        if isinstance(error, requests.ConnectionError):
            text = re.sub(r".*\[Errno -?\d+\] ", "", str(cause))
            return f"{self.host} could not be reached: {brief(text)}"
        return f"{self.host} broke off its answer: {brief(plain(error))}"


class _StopAtDeadline(tenacity.stop.stop_base):
    """Stops the retries when the next pause would last beyond the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return retry_state.upcoming_sleep >= self._deadline.remaining()


def _is_temporary(error: BaseException) -> bool:
    """Whether to retry here: a longer wait would block a worker that does nothing."""
    return (
        isinstance(error, SourceError)
        and not error.permanent
        and (error.retry_after or 0) <= LONGEST_PAUSE
    )


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, SourceError) and error.retry_after is not None:
        return error.retry_after
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (state.attempt_number - 1))
    return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, no secret


def _retry_after(header: str | None) -> float | None:
    """Parses `Retry-After` (RFC 9110, 10.2.3) to seconds: a number, or the time when they end."""
    if header is None:
        return None
    if re.fullmatch(r"\d{1,9}", header.strip()):
        return min(float(header), MAX_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    if until.tzinfo is None:
        return None
    return min(max(0.0, (until - datetime.now(UTC)).total_seconds()), MAX_RETRY_AFTER)


def _message(body: bytes) -> str:
    """Returns an error's text, in any of its shapes, or the text between a page's tags."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        # A tag ends before the next begins: else each < of a page of < is searched to the end.
        return brief(re.sub(rb"<[^<>]*>|\s+", b" ", body)) or "an empty answer"
    for _ in range(3):
        if not isinstance(found, dict):
            break
        status = found.get("status")
        found = (
            found.get("error_message")
            or found.get("error")
            or (status if isinstance(status, dict) else None)
            or found.get("message")
            or brief(found)
        )
    return brief(found)


def brief(value: Any) -> str:
    """Returns at most 200 printable characters of a response."""
    try:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    except RecursionError:  # parsing goes as deep as Python can, printing cannot
        text = f"something nested too deeply to be shown ({type(value).__name__})"
    # Mask before cutting: half a secret would not be found.
    text = masked(" ".join(re.sub(r"[^\x20-\x7e]+", " ", text).split()))
    return text if len(text) <= 200 else text[:197] + "..."


def session(url: str) -> requests.Session:
    """Makes a session for `url` that takes proxies and certificates, no passwords, from the system.

    By default `requests` sends the password that `~/.netrc` has for a host, or for any host.
    """
    made = requests.Session()
    made.auth = _auth_from_url
    # A proxy of the environment must not stand between us and a server on this machine.
    made.trust_env = not _is_loopback(urlsplit(url).hostname or "")
    return made


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _auth_from_url(request: requests.PreparedRequest) -> requests.PreparedRequest:
    user, password = get_auth_from_url(request.url or "")
    return HTTPBasicAuth(user, password)(request) if user or password else request
