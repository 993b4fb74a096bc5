"""`./koinx doctor`: looks for faults, each in one line with its cure."""

from dash_ui.doctor.report import doctor

__all__ = ["doctor"]
