"""Tells what was found: a line for each, or JSON."""

import json
from dataclasses import asdict

from cli.doctor.finding import Finding
from cli.doctor.runner import examine
from cli.output import paint, say
from supervisor.control import Processes

COLOURS = {"ok": "green", "note": "yellow", "idle": "grey", "fault": "red"}


def doctor(processes: Processes, *, as_json: bool) -> int:
    """Look for faults, and tell them; the exit code is 1 if there is any."""
    findings = examine(processes)
    faults = sum(finding.state == "fault" for finding in findings)
    if as_json:
        say(json.dumps({"faults": faults, "findings": [asdict(one) for one in findings]}, indent=2))
    else:
        for finding in findings:
            say(line(finding))
        say("no fault" if not faults else f"{faults} fault{'s' * (faults > 1)}")
    return 1 if faults else 0


def line(finding: Finding) -> str:
    """A finding for a person; a fault with its cure behind it."""
    state = paint(f"{finding.state:<5}", COLOURS[finding.state])
    cure = f" → {finding.cure}" if finding.cure else ""
    return f"{state}  {finding.check:<9}  {finding.text}{cure}"
