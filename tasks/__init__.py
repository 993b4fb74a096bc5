"""The entry point of `celery -A tasks`: the app, with our own commands."""

from tasks import remote_control as _commands
from tasks.app import app as celery

__all__ = ["celery"]
del _commands
