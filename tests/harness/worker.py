"""The services of a worker, in the test's own process."""

from collections.abc import Iterator
from contextlib import contextmanager

from tasks.dependencies import Services, _services, get_services


@contextmanager
def in_a_worker() -> Iterator[Services]:
    """This process's services, as a task finds them, made anew and closed at the end."""
    _services.cache_clear()
    made = get_services()
    try:
        yield made
    finally:
        made.nats.close()
        made.source.close()
        _services.cache_clear()
