"""Compares this machine's clock with another one."""

from datetime import UTC, datetime, timedelta

from cli.doctor.finding import Finding, problem

# A quote's own time may be 10 min ahead, and leases use only MongoDB's clock. Slots, and the
# freshness that pages show, use this machine's clock.
TOLERANCE = timedelta(seconds=5)


def compare(whose: str, theirs: datetime, asked: datetime) -> Finding:
    """Compares their clock with ours; we asked at `asked`, and the answer has just arrived.

    They read their clock at some moment in between, so a time within that is no difference.
    """
    answered = datetime.now(UTC)
    if asked - TOLERANCE <= theirs <= answered + TOLERANCE:
        return Finding("clock", "ok", f"agrees with {whose} to within {TOLERANCE.seconds} s")
    apart = (theirs - (asked if theirs < asked else answered)).total_seconds()
    which = "behind" if apart > 0 else "ahead of"
    return problem(
        "clock",
        f"is {abs(apart):.0f} s {which} the clock of {whose}",
        "synchronise the wrong one with NTP, for example: timedatectl set-ntp true",
    )
