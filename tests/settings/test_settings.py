"""Settings: where they come from, what is refused, and how that is told."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

import settings as settings_module
from settings import (
    NAMES,
    PRO_URL,
    PUBLIC_URL,
    ROOT,
    CoinSelection,
    Settings,
    SettingsError,
    is_loopback,
    load,
    load_or_exit,
    parse_coins,
)

EXAMPLE = ROOT / ".env.example"
SECRET = "hunter2"

Errors = Callable[..., list[str]]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment that names a home of its own and an empty `.env`."""
    file = tmp_path / ".env"
    file.touch()
    return {"KOINX_ENV_FILE": str(file), "KOINX_HOME": str(tmp_path)}


@pytest.fixture
def errors(environ: dict[str, str]) -> Errors:
    def told(**values: str) -> list[str]:
        with pytest.raises(SettingsError) as raised:
            load(environ | values)
        return raised.value.errors

    return told


def test_without_anything_set_the_defaults_are_in_force(environ: dict[str, str]) -> None:
    # When
    made = load(environ)
    # Then
    assert made == Settings(koinx_home=Path(environ["KOINX_HOME"]))
    assert made.database == "koinx_live_usd"
    assert made.source == "coingecko"
    assert made.selection == CoinSelection(("bitcoin", "ethereum", "matic-network"), 100)
    assert made.run_folder == Path(environ["KOINX_HOME"]) / "run"


@pytest.mark.parametrize(
    ("market", "url", "named"),
    [
        ("demo", PUBLIC_URL, "api.coingecko.com"),
        ("replay", PRO_URL, "pro-api.coingecko.com"),
        ("demo", "http://simulator:8000/api/v3", None),
        ("demo", "http://notcoingecko.com", None),
        ("live", PUBLIC_URL, None),
    ],
)
def test_a_real_source_is_never_marked_as_simulated(
    environ: dict[str, str], market: str, url: str, named: str | None
) -> None:
    reason = load(environ | {"MARKET": market, "COINGECKO_API_URL": url}).market_mismatch
    assert reason is None if named is None else f"COINGECKO_API_URL is {named}:" in str(reason)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("COINS", "", None),
        ("COINS", "bitcoin,,ethereum", "'' is not a coin id"),
        ("COINS", "top:0", "'top:0': top: needs a number from 1 to 20000"),
        ("COINS", "top:20001", "a number from 1 to 20000"),
        ("COINS", "bit\ncoin", "printable"),
        ("COINS", "x" * 129, "1 to 128"),
        ("CURRENCY", "USD", "a lower-case code such as usd"),
        ("CURRENCY", "u$d", "a lower-case code such as usd"),
        ("CRON_SCHEDULE", "often", "five cron fields, or six"),
        ("CRON_SCHEDULE", "* * * *", "five cron fields, or six"),
        ("CRON_SCHEDULE", "* * * * * * *", "five cron fields, or six"),
        ("CRON_SCHEDULE", "60 * * * *", "five cron fields, or six"),
        ("CRON_SCHEDULE", "@hourly", "five cron fields, or six"),
        ("CRON_SCHEDULE", "0 0 30 2 *", "a schedule whose day exists"),
        ("MARKET", "bear", "'live', 'demo' or 'replay'"),
        ("COINGECKO_API_URL", "ftp://example.org", "http:// or https://"),
        ("SECOND_SOURCE", "kraken", "Input should be 'coinpaprika'"),
        ("COINPAPRIKA_API_URL", "api.coinpaprika.com", "http:// or https://"),
        ("ROLLUP_AFTER", "-1", "days, a whole number from 0 (off) to 36500"),
        ("RETENTION", "1.5", "days, a whole number from 0 (off) to 36500"),
        ("API_PORT", "0", "a whole number from 1 to 65535"),
        ("API_PORT", "30.5", "a whole number from 1 to 65535"),
        ("DASH_PORT", "65536", "a whole number from 1 to 65535"),
        ("API_WORKERS", "65", "a whole number from 1 to 64"),
        ("DASH_API_URL", "localhost:3000", "http:// or https://"),
        ("SIMULATOR_SEED", "1.5", "a whole number"),
        ("SIMULATOR_COINS", "20001", "a whole number from 1 to 20000"),
        ("SIMULATOR_REPLAY", "/nowhere/at/all", "a folder with recorded pages"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    environ: dict[str, str], errors: Errors, name: str, value: str, allowed: str | None
) -> None:
    if allowed is None:  # empty counts as not set
        assert load(environ | {name: value}).coins == Settings().coins
        return
    (line,) = errors(**{name: value})
    assert line.startswith(f"{name}={value!r}: ")
    assert allowed in line


def test_every_error_is_told_at_once(environ: dict[str, str], errors: Errors) -> None:
    # Given wrong values, a misspelt name, and two settings that do not go together
    Path(environ["KOINX_ENV_FILE"]).write_text("API_PROT=1\n")
    # When
    told = errors(
        COINS="top:0", API_PORT="x", MARKET="bear", API_HOST="0.0.0.0", COINGECKO_PLAN="pro"
    )
    # Then each has its line
    assert len(told) == 6
    unknown = "Unknown setting API_PROT"
    for name in ("COINS", "API_PORT", "MARKET", "API_HOST", "COINGECKO_API_KEY", unknown):
        assert sum(line.startswith(name) for line in told) == 1, name


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"REDIS_URL": "redis://:a/b@host:6379/0"},
            "REDIS_URL=a secret value: an address whose host and port can be read: in a password",
        ),
        (
            {"NATS_URL": "nats://host:port"},
            "NATS_URL=a secret value: an address whose host and port can be read: in a password",
        ),
        ({"API_HOST": "0.0.0.0"}, "API_HOST=0.0.0.0 is open to other machines: set API_KEY"),
        ({"API_HOST": "10.1.2.3"}, "API_HOST=10.1.2.3 is open to other machines: set API_KEY"),
        ({"DASH_HOST": "::"}, "DASH_HOST=:: is open to other machines: set DASH_PASSWORD"),
        (
            {"LOCAL_ACCESS": "key", "API_KEY": "short"},
            "LOCAL_ACCESS=key counts no wrong keys from this machine: API_KEY has 5 characters",
        ),
        ({"COINGECKO_API_KEY": SECRET}, "COINGECKO_API_KEY and COINGECKO_PLAN (demo or pro)"),
        ({"COINGECKO_PLAN": "demo"}, "COINGECKO_API_KEY and COINGECKO_PLAN (demo or pro)"),
    ],
)
@pytest.mark.row("other-machine")
def test_settings_that_need_each_other(
    errors: Errors, values: dict[str, str], message: str
) -> None:
    (line,) = errors(**values)
    assert line.startswith(message)
    assert SECRET not in line


def test_another_address_is_taken_with_a_key(environ: dict[str, str]) -> None:
    made = load(environ | {"API_HOST": "0.0.0.0", "API_KEY": 3 * SECRET})
    assert made.api_host == "0.0.0.0"


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["127.0.0.1", "127.9.9.9", "::1", "localhost"], True),
        (["0.0.0.0", "::", "10.1.2.3", "example.org", ""], False),
    ],
)
def test_loopback(hosts: list[str], expected: bool) -> None:
    assert [is_loopback(host) for host in hosts] == [expected] * len(hosts)


@pytest.mark.parametrize(("plan", "url"), [("demo", PUBLIC_URL), ("pro", PRO_URL)])
def test_the_plan_names_the_host(environ: dict[str, str], plan: str, url: str) -> None:
    keyed = environ | {"COINGECKO_PLAN": plan, "COINGECKO_API_KEY": SECRET}
    assert load(keyed).coingecko_api_url == url
    assert load(keyed | {"COINGECKO_API_URL": PUBLIC_URL}).coingecko_api_url == url
    elsewhere = keyed | {"COINGECKO_API_URL": "http://127.0.0.1:1/api/v3/"}
    assert load(elsewhere).coingecko_api_url == "http://127.0.0.1:1/api/v3"


@pytest.mark.parametrize(
    "values",
    [
        {"MONGODB_URI": SECRET, "NATS_URL": SECRET, "REDIS_URL": SECRET},
        {"MONGODB_URI": f"mysql://root:{SECRET}@db", "API_PORT": "x"},
        {"REDIS_URL": f"redis://:{SECRET}/a@db:6379", "NATS_URL": f"nats://u:{SECRET}:x@h"},
        {"API_KEY": SECRET, "API_KEYS": SECRET, "COINGECKO_KEY": SECRET},
        {"COINGECKO_API_KEY": SECRET, "COINGECKO_PLAN": "gold"},
        {"DASH_PASSWORD": SECRET, "DASH_HOST": "::", "API_HOST": "0.0.0.0"},
    ],
)
@pytest.mark.row("secret-leak")
def test_no_error_tells_a_secret(errors: Errors, values: dict[str, str]) -> None:
    told = errors(**values)
    assert told
    assert SECRET not in "\n".join(told)


@pytest.mark.row("secret-leak")
def test_settings_do_not_print_their_secrets(environ: dict[str, str]) -> None:
    made = load(environ | {"MONGODB_URI": f"mongodb://u:{SECRET}@h", "API_KEY": SECRET})
    assert SECRET not in repr(made) + str(made)


def test_names_that_are_no_setting(environ: dict[str, str], errors: Errors) -> None:
    # Given any unknown name in the file, and likely ones in the environment
    Path(environ["KOINX_ENV_FILE"]).write_text("API_PROT=1\nfoo=2\ncoins=a\nCOMPOSE_FILE=x\n")
    # When
    told = errors(KOINX_HOM="x", COINGECKO_KEY=SECRET, PATH="/bin", API_KEYS="k")
    # Then
    assert told == [
        "Unknown setting API_PROT in .env; did you mean API_PORT?",
        "Unknown setting foo in .env",
        "Unknown setting coins in .env; did you mean COINS?",
        "Unknown setting KOINX_HOM in the environment; did you mean KOINX_HOME?",
        "Unknown setting COINGECKO_KEY in the environment; did you mean COINGECKO_API_KEY?",
        "Unknown setting API_KEYS in the environment; did you mean API_KEY?",
    ]


def test_the_environment_goes_before_the_file_and_that_before_what_runs(
    environ: dict[str, str], tmp_path: Path
) -> None:
    # Given
    running = tmp_path / "run" / settings_module.RUNNING_FILE
    running.parent.mkdir()
    running.write_text(
        json.dumps({"API_PORT": "1001", "DASH_PORT": "1001", "API_WORKERS": "11", "OTHER": "x"})
    )
    Path(environ["KOINX_ENV_FILE"]).write_text("API_PORT=1002\nDASH_PORT=1002\n")
    # When
    made = load(environ | {"API_PORT": "1003"})
    alone = load(environ | {"API_PORT": "1003"}, running=False)
    # Then
    assert (made.api_port, made.dash_port, made.api_workers) == (1003, 1002, 11)
    assert made.simulator_coins == 300
    assert (alone.api_port, alone.dash_port, alone.api_workers) == (1003, 1002, 2)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"'])
def test_a_broken_note_of_what_runs_counts_as_none(
    environ: dict[str, str], tmp_path: Path, text: str
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / settings_module.RUNNING_FILE).write_text(text)
    assert load(environ).api_port == 3000


def test_a_file_that_is_no_text_is_named(environ: dict[str, str], errors: Errors) -> None:
    file = Path(environ["KOINX_ENV_FILE"])
    file.write_bytes(b"COINS=\xff\xfe")
    (line,) = errors()
    assert line.startswith(f"{file} cannot be read: ")
    # ... and keeps nobody from finding what runs
    assert settings_module.home({"KOINX_ENV_FILE": str(file)}) == ROOT / "var"


def test_a_password_in_an_address_is_refused_and_not_shown(errors: Errors) -> None:
    (line,) = errors(COINGECKO_API_URL=f"https://someone:{SECRET}@example.org/api")
    assert line.startswith("COINGECKO_API_URL='https://…@example.org/api': ")
    assert line.endswith("or a password")


@pytest.mark.row("secret-leak")
def test_a_key_in_an_address_is_refused_and_not_shown(errors: Errors) -> None:
    (line,) = errors(COINGECKO_API_URL=f"https://example.org/?x_cg_demo_api_key={SECRET}")
    assert line.startswith("COINGECKO_API_URL='https://example.org/?…': ")
    assert SECRET not in line


NOT_SECRETS = {"MONGODB_URI": "mongodb://h", "NATS_URL": "nats://h", "REDIS_URL": "redis://h"}
OF_A_SECRET = {
    name: NOT_SECRETS.get(name, "https://h/" if name == "WEBHOOK_URL" else "") + SECRET
    for name in settings_module.SECRETS
}


@pytest.mark.parametrize("name", OF_A_SECRET)
@pytest.mark.parametrize("around", [" {} ", "{}\n", "\t{}\r\n"])
@pytest.mark.row("secret-leak")
def test_white_space_around_a_secret_is_no_part_of_it(
    environ: dict[str, str], name: str, around: str
) -> None:
    plan = {"COINGECKO_PLAN": "demo"} if name == "COINGECKO_API_KEY" else {}
    made = load(environ | plan | {name: around.format(OF_A_SECRET[name])})
    assert made.environment()[name] == OF_A_SECRET[name]


@pytest.mark.parametrize("name", OF_A_SECRET)
@pytest.mark.parametrize("inside", ["{0}\n{0}", "{0}\t", "\0{0}", "{0}\x1b[31m", "é{0}", "{0}\x7f"])
@pytest.mark.row("secret-leak")
def test_a_secret_that_no_header_can_carry_is_refused_and_not_shown(
    errors: Errors, name: str, inside: str
) -> None:
    text = inside.format(OF_A_SECRET[name]) + "-"
    plan = {"COINGECKO_PLAN": "demo"} if name == "COINGECKO_API_KEY" else {}
    (line,) = errors(**plan, **{name: text})
    assert line.startswith(f"{name}=a secret value: only printable ASCII characters are allowed")
    assert SECRET not in line
    assert line.isprintable()


def test_a_secret_of_white_space_alone_is_none(errors: Errors) -> None:
    assert Settings(api_key=SecretStr(" \n")).api_key is None
    (line,) = errors(API_HOST="0.0.0.0", API_KEY=" \n")
    assert line == "API_HOST=0.0.0.0 is open to other machines: set API_KEY as well"


@pytest.mark.parametrize(("host", "key"), [("API_HOST", "API_KEY"), ("DASH_HOST", "DASH_PASSWORD")])
def test_what_keeps_other_machines_out_has_16_characters(
    environ: dict[str, str], errors: Errors, host: str, key: str
) -> None:
    for text in ("a", "a" * 15, " " * 9 + "a" * 15):
        (line,) = errors(**{host: "0.0.0.0", key: text})
        assert line.startswith(f"{host}=0.0.0.0 is open to other machines: {key} has ")
        assert "at least 16 are needed" in line
    assert load(environ | {host: "0.0.0.0", key: "a" * 16})
    assert load(environ | {host: "127.0.0.1", key: "a"})


@pytest.mark.parametrize(
    "url",
    [
        f"mongodb://koinx:a/{SECRET}@db:27017/?replicaSet=koinx",
        f"mongodb://koinx:a?{SECRET}@db:27017",
        f"redis://:12/{SECRET}@cache/0",
        f"nats://koinx:12?{SECRET}@nats",
    ],
)
@pytest.mark.row("secret-leak")
def test_a_password_that_would_be_taken_for_a_port_or_a_path_is_refused(
    errors: Errors, url: str
) -> None:
    name = {"m": "MONGODB_URI", "r": "REDIS_URL", "n": "NATS_URL"}[url[0]]
    (line,) = errors(**{name: url})
    assert line.startswith(f"{name}=a secret value: an address whose host and port can be read")


def test_a_file_that_is_named_must_be_there(environ: dict[str, str], errors: Errors) -> None:
    environ["KOINX_ENV_FILE"] = "/nowhere/production.env"
    assert errors() == ["KOINX_ENV_FILE=/nowhere/production.env: file not found"]


def test_home_is_found_whatever_else_is_wrong(environ: dict[str, str]) -> None:
    file = Path(environ.pop("KOINX_ENV_FILE"))
    file.write_text("KOINX_HOME=elsewhere\nAPI_PORT=x\n")
    assert settings_module.home({"KOINX_ENV_FILE": str(file)}) == ROOT / "elsewhere"
    assert settings_module.home({"KOINX_ENV_FILE": str(file), "KOINX_HOME": "/a"}) == Path("/a")


@pytest.mark.parametrize(
    "schedule", ["*/15 * * * *", "*/10 * * * * *", "0 8 * * MON-FRI", "0 0 29 2 *"]
)
def test_schedules_of_five_and_of_six_fields(environ: dict[str, str], schedule: str) -> None:
    made = load(environ | {"CRON_SCHEDULE": schedule, "MARKET": "demo"})
    assert made.cron_schedule == schedule


def test_a_process_that_is_given_the_settings_has_the_same(environ: dict[str, str]) -> None:
    # Given settings other than the defaults
    made = load(
        environ
        | {"COINGECKO_PLAN": "pro", "COINGECKO_API_KEY": "k", "NATS_URL": "nats://h:4222"}
        | {"COINS": "bitcoin,top:5", "SIMULATOR_REPLAY": environ["KOINX_HOME"]}
    )
    # When a process gets them as its environment
    again = load(made.environment() | {"KOINX_ENV_FILE": ""})
    # Then
    assert again == made
    assert again.environment() == made.environment()


def test_coins() -> None:
    assert parse_coins("bitcoin, top:10 ,bitcoin,top:5,_") == CoinSelection(("bitcoin", "_"), 10)


def test_a_start_with_wrong_settings_ends_with_every_error(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (environ | {"API_PORT": "x", "CURRENCY": "$"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load_or_exit()
    assert "API_PORT='x'" in str(ended.value.code)
    assert "CURRENCY='$'" in str(ended.value.code)


def test_a_server_that_nothing_names_ends_the_start() -> None:
    with pytest.raises(SystemExit, match="NATS_URL is not set"):
        Settings().server("nats_url")


def test_the_example_lists_every_setting_with_its_default() -> None:
    # Given its assignments, those in comments too
    found = re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE)
    # When
    listed = {name: value.split(" #")[0].strip().strip("\"'") for name, value in found}
    # Then
    assert sorted(listed) == sorted(NAMES)
    defaults = Settings().environment() | {"KOINX_HOME": "var"}
    assert listed == {name: defaults.get(name, "") for name in NAMES}


def test_a_copy_of_the_example_changes_nothing() -> None:
    copied = load({"KOINX_ENV_FILE": str(EXAMPLE)}, running=False)
    assert copied == Settings()
