"""Whose clock is wrong, and by how much."""

from datetime import UTC, datetime, timedelta

import pytest

from cli.doctor.clock import compare


def test_what_lies_between_question_and_answer_is_no_difference() -> None:
    now = datetime.now(UTC)
    found = compare("MongoDB", now - timedelta(minutes=3), now - timedelta(minutes=5))
    assert (found.state, found.cure) == ("ok", None)


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (3600, "is 3600 s behind the clock of MongoDB"),
        (-3600, "is 3600 s ahead of the clock of MongoDB"),
    ],
)
def test_a_clock_that_is_wrong_says_by_how_much(ahead: int, said: str) -> None:
    now = datetime.now(UTC)
    found = compare("MongoDB", now + timedelta(seconds=ahead), now)
    assert found.state == "fault"
    assert abs(int(found.text.split()[1]) - 3600) < 60
    assert found.text.split()[3:] == said.split()[3:]
    assert "NTP" in str(found.cure)
