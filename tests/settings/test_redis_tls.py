"""Every component verifies Redis's certificate, however the address spells it."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import redis
from celery import Celery
from limits import RateLimitItemPerMinute
from pydantic import SecretStr, ValidationError

from api.extensions import redis_pool
from bench.harness.services import wait_until
from cli.doctor import servers as doctor
from cli.doctor import source
from quota.limiter import RedisCounts
from settings import Settings
from settings.redis_tls import verifying
from supervisor.celery_client import CeleryClient
from tests.harness import tls
from tests.harness.tls_only import listens


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tls.Authority:
    return tls.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, authority: tls.Authority) -> Iterator[str]:
    with tls.redis(tmp_path_factory.mktemp("redis"), authority) as made:
        wait_until(lambda: listens(made), "the server")
        yield made


def client(url: str) -> None:
    with redis.Redis.from_url(url) as made:
        made.ping()


def pool(url: str) -> None:
    with closing(redis_pool(url)) as made:
        redis.Redis(connection_pool=made).ping()


def counts(url: str) -> None:
    storage = RedisCounts(url, socket_timeout=3)
    assert storage.incr("key", RateLimitItemPerMinute(1).get_expiry()) > 0
    storage.storage.close()


def broker(url: str) -> None:
    CeleryClient(url, 3).ping(timeout=0.1)


def celery(url: str, *, backend: bool) -> None:
    app = Celery(broker=url, backend=url, set_as_current=False)
    app.conf.update(broker_connection_retry=False, redis_retry_on_timeout=False)
    if backend:
        app.backend.client.ping()  # type: ignore[attr-defined]
    else:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=3)


def diagnosis(url: str) -> None:
    settings = Settings(redis_url=SecretStr(url))
    first, *_ = doctor._redis(settings, url, settings.database)
    if first.state != "ok":
        raise OSError(first.text)


def budget(url: str) -> None:
    settings = Settings(market="demo", coingecko_calls_per_minute=5)
    for finding in source.calls(settings, url):
        if finding.state != "ok":
            raise OSError(finding.text)


OPENERS: dict[str, Callable[[str], None]] = {
    "client": client,
    "pool": pool,
    "counts": counts,
    "broker": broker,
    "celery-broker": lambda url: celery(url, backend=False),
    "celery-backend": lambda url: celery(url, backend=True),
    "doctor": diagnosis,
    "doctor-calls": budget,
}
SPELLINGS = ("", "?ssl_cert_reqs=required", "?ssl_cert_reqs=CERT_REQUIRED&ssl_check_hostname=true")


def as_set(url: str) -> str:
    """The address as every component is given it."""
    return Settings(redis_url=SecretStr(url)).environment()["REDIS_URL"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("options", SPELLINGS)
@pytest.mark.row("redis-certificate")
def test_one_whose_certificate_is_not_trusted_is_not_spoken_to(
    address: str, opener: str, options: str
) -> None:
    with pytest.raises(Exception, match=r"(?i)certificate|does not answer|unknown"):
        OPENERS[opener](as_set(address + options))


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.row("redis-certificate")
def test_one_of_an_authority_that_the_address_names_is(
    address: str, authority: tls.Authority, opener: str
) -> None:
    OPENERS[opener](as_set(f"{address}?ssl_ca_certs={authority.file}"))


@pytest.fixture(scope="module")
def misnamed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose trusted certificate is another host's."""
    authority = tls.Authority(tmp_path_factory.mktemp("other"), "other.example")
    with tls.redis(tmp_path_factory.mktemp("misnamed"), authority) as made:
        wait_until(lambda: listens(made), "the server")
        yield f"{made}?ssl_ca_certs={authority.file}"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.row("redis-certificate")
def test_one_whose_certificate_names_another_host_is_not(misnamed: str, opener: str) -> None:
    with pytest.raises(Exception, match=r"(?i)certificate|does not answer|unknown"):
        OPENERS[opener](as_set(misnamed))


def test_the_broker_verifies_an_address_that_no_setting_went_over(address: str) -> None:
    with pytest.raises(Exception, match=r"(?i)certificate"):
        broker(address)


@pytest.mark.parametrize(
    "options",
    [
        *("ssl_cert_reqs=none", "ssl_cert_reqs=CERT_NONE", "ssl_cert_reqs=optional"),
        *("ssl_cert_reqs=", "ssl_cert_reqs=required&ssl_cert_reqs=none", "ssl_cert_reqs=None"),
        *("ssl_check_hostname=false", "ssl_check_hostname=no", "ssl_ciphers=NULL"),
    ],
)
@pytest.mark.row("redis-certificate")
def test_what_asks_for_less_is_refused(options: str) -> None:
    with pytest.raises(ValidationError, match=r"rediss:// server is always verified|among ssl_ca"):
        Settings(redis_url=SecretStr(f"rediss://:hunter2@cache/0?{options}"))


def test_options_of_tls_without_tls_are_refused() -> None:
    with pytest.raises(ValidationError, match="begins with rediss://"):
        Settings(redis_url=SecretStr("redis://cache/0?ssl_ca_certs=/ca.pem"))


@pytest.mark.parametrize(
    ("url", "made"),
    [
        ("redis://cache:6379/0", "redis://cache:6379/0"),
        ("redis://:p%40ss@cache/0?protocol=3", "redis://:p%40ss@cache/0?protocol=3"),
        ("rediss://:p%40ss@cache/1", "rediss://:p%40ss@cache/1?ssl_cert_reqs=required"),
        (
            "rediss://cache?ssl_ca_certs=/etc/ca.pem",
            "rediss://cache?ssl_ca_certs=/etc/ca.pem&ssl_cert_reqs=required",
        ),
    ],
)
def test_the_rest_of_the_address_stays_and_twice_is_as_once(url: str, made: str) -> None:
    assert verifying(url) == verifying(made) == made
