"""The limit on open files is raised as far as the system lets it be."""

import resource

import pytest

from settings.open_files import CONNECTIONS, MACOS, WANTED, connections, raise_limit

BELOW = 256


@pytest.mark.parametrize(
    ("soft", "hard", "refused_above", "reached"),
    [
        (BELOW, resource.RLIM_INFINITY, resource.RLIM_INFINITY, WANTED),
        (BELOW, 4096, 4096, 4096),
        # macOS: no hard limit, and another one of the kernel's.
        (BELOW, resource.RLIM_INFINITY, MACOS, MACOS),
        (BELOW, resource.RLIM_INFINITY, 1000, BELOW),
        (WANTED * 2, resource.RLIM_INFINITY, resource.RLIM_INFINITY, WANTED * 2),
    ],
)
def test_it_is_raised_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, refused_above: int, reached: int
) -> None:
    limit = [soft]

    def setrlimit(_: int, wanted: tuple[int, int]) -> None:
        if refused_above != resource.RLIM_INFINITY and wanted[0] > refused_above:
            raise ValueError("current limit exceeds maximum limit")
        limit[:] = wanted[:1]

    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit[0], hard))
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    assert raise_limit() == reached
    assert limit == [reached]
    assert connections() == min(CONNECTIONS, reached // 2)
