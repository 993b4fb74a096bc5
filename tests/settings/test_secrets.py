"""Which texts of the settings are secret."""

from pydantic import SecretStr

from settings import Settings
from settings.secrets import secret_texts


def test_keys_passwords_and_the_path_of_the_webhook() -> None:
    settings = Settings(
        api_key=SecretStr("key-of-the-api"),
        dash_password=SecretStr("open sesame"),
        mongodb_uri=SecretStr("mongodb://koinx:p%40ss@db:27017/?replicaSet=koinx"),
        nats_url=SecretStr("nats://token@nats:4222"),
        redis_url=SecretStr("redis://cache:6379/0"),
        webhook_url=SecretStr("https://hooks.example/services/T0/B0/x"),
    )
    assert sorted(secret_texts(settings)) == sorted(
        [
            *("key-of-the-api", "open sesame", "p%40ss", "p@ss", "token", "token"),
            *("https://hooks.example/services/T0/B0/x", "services/T0/B0/x"),
        ]
    )


def test_without_secrets_there_are_none() -> None:
    assert secret_texts(Settings()) == []
