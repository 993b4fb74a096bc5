"""No secret in a text, however it is written."""

import json

import pytest

from logbook.masking import masker, without_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mongodb://koinx:hunter2@db:27017/x fails", "mongodb://…@db:27017/x fails"),
        ("redis://:hunter2@cache", "redis://…@cache"),
        ('{"at":"nats://a:4222","of":"b@c"}', '{"at":"nats://a:4222","of":"b@c"}'),
    ],
)
def test_addresses_lose_who_connects(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


def test_each_known_secret_is_masked_the_longest_first() -> None:
    mask = masker(["secret", "secret-key", ""])
    assert mask("secret-key, secret and secretary") == "…, … and …ary"


def test_a_password_with_an_at_sign_leaves_nothing_behind() -> None:
    assert masker(["p@ss"])("mongodb://koinx:p@ss@db/x") == "mongodb://…@db/x"


def test_a_secret_is_found_in_json_too() -> None:
    assert masker(['a"b\\c'])(json.dumps({"key": 'a"b\\c'})) == '{"key": "…"}'


def test_what_is_too_short_to_be_a_secret_stays() -> None:
    assert masker(["1"])("2026-11-22 11:11") == "2026-11-22 11:11"
