"""Counts in Redis: they are kept, and no client is imported that nobody uses."""

import subprocess
import sys

from quota.limiter import RedisCounts
from settings import ROOT


def test_counts_are_kept(redis: str) -> None:
    assert [RedisCounts(redis).incr("a", 60) for _ in range(3)] == [1, 2, 3]


def test_valkey_s_client_is_not_imported(redis: str) -> None:
    script = (
        "import sys; from quota.limiter import RedisCounts; RedisCounts(sys.argv[1]).get('a');"
        "print('redis' in sys.modules, 'valkey' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, redis],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert ran.stdout == "True False\n"
