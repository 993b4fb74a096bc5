"""What the sources' HTTP has of its own; the rest is seen through CoinGecko's client."""

import pytest

from market.http_source import Deadline, HttpSource, SourceError
from tests.support import SimulatorControl


def test_an_answer_is_bounded_by_what_its_source_says(simulator: SimulatorControl) -> None:
    simulator.fault("body", body="[1, 2, 3]", times=None)
    for most, failed in ((9, False), (8, True)):
        source = HttpSource(simulator.url, max_bytes=most)
        if failed:
            with pytest.raises(SourceError, match=r"127.0.0.1 answered more than 8 bytes"):
                source.get("/any", {}, Deadline(0.3))
        else:
            assert source.get("/any", {}, Deadline(5)) == [1, 2, 3]
        source.close()


@pytest.mark.parametrize(
    ("see", "said"),
    [
        ("", "127.0.0.1 refuses the call (401): no"),
        ("A_KEY", "127.0.0.1 refuses the key (401): no; see A_KEY"),
    ],
)
def test_a_refusal_names_the_settings_to_look_at(
    simulator: SimulatorControl, see: str, said: str
) -> None:
    simulator.fault("body", body="no", status=401)
    source = HttpSource(simulator.url, max_bytes=100, see=see)
    with pytest.raises(SourceError) as raised:
        source.get("/any", {}, Deadline(5))
    assert (str(raised.value), raised.value.permanent) == (said, True)
    source.close()
