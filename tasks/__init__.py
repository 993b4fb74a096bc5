"""Celery's side: `celery -A tasks` finds the app here."""

from tasks.app import app as celery

__all__ = ["celery"]
