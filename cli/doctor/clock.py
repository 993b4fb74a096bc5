"""Whether this machine's clock agrees with another's."""

from datetime import UTC, datetime, timedelta

from cli.doctor.finding import Finding, fault

# A quote's own time may lie 10 min ahead, and leases go by MongoDB's clock alone; slots and the
# freshness that pages show go by this machine's.
MOST = timedelta(seconds=5)


def compare(whose: str, theirs: datetime, asked: datetime) -> Finding:
    """Their clock beside ours; `asked` is when we asked, and the answer has just come.

    Theirs was read at some moment in between: what lies within that is no difference.
    """
    answered = datetime.now(UTC)
    if asked - MOST <= theirs <= answered + MOST:
        return Finding("clock", "ok", f"agrees with that of {whose}, to within {MOST.seconds} s")
    apart = (theirs - (asked if theirs < asked else answered)).total_seconds()
    which = "behind" if apart > 0 else "ahead of"
    return fault(
        "clock",
        f"is {abs(apart):.0f} s {which} that of {whose}",
        "set the one that is wrong by NTP, as with timedatectl set-ntp true",
    )
