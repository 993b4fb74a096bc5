"""Celery's side: `celery -A tasks` finds the app here, with the commands of our own."""

from tasks import remote_control as _commands
from tasks.app import app as celery

__all__ = ["celery"]
del _commands
