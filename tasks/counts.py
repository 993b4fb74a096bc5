"""Counts in Redis, as `limits` keeps them."""

from limits.storage import RedisStorage


class RedisCounts(RedisStorage):
    """Does without Valkey's client, which `limits` imports wherever it is installed: 2 MB."""

    DEPENDENCIES = {"redis": RedisStorage.DEPENDENCIES["redis"]}  # noqa: RUF012 - as its base
