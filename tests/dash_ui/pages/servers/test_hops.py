"""An update's way as the Servers page shows it."""

from datetime import datetime

import pytest

from dash_ui.pages.servers import hops
from tests.api_client.test_hops import reached


def test_each_hop_has_its_time() -> None:
    way = reached(finished=5.5, published=0, streamed=0.003, fetched=1.5)
    assert hops.words(way) == "streamed 3 ms · fetched 1.5 s · finished 4.0 s"


def test_the_bar_s_stripes_fill_it_in_that_proportion() -> None:
    way = reached(streamed=0, received=1, fetched=4)
    assert hops.bar(way) == (
        "linear-gradient(to right, "
        "var(--koinx-hop-received) 0.00% 25.00%, var(--koinx-hop-fetched) 25.00% 100.00%)"
    )


@pytest.mark.parametrize("way", [{}, reached(streamed=0), reached(streamed=0, received=0)])
def test_no_bar_before_there_is_a_hop_that_took_time(way: dict[str, datetime]) -> None:
    assert hops.bar(way) == "none"
