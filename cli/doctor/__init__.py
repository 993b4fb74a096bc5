"""`./koinx doctor`: looks for faults, each in one line with its cure."""

from cli.doctor.report import doctor

__all__ = ["doctor"]
