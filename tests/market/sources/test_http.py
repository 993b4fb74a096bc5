"""What the sources' HTTP has of its own; the rest is seen through CoinGecko's client."""

import json
import re
import time
from collections.abc import Callable
from urllib.parse import quote_plus

import pytest

from bench.harness.services import SimulatorControl
from logs.redaction import know
from market.sources.http import CHUNK, Deadline, HttpSource, SourceError, _message, brief


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


KEY = "CG-0123/456+789"


@pytest.mark.parametrize("key", [f" {KEY}", f"{KEY}\n", f"{KEY}\r\nX: y"])
@pytest.mark.row("secret-leak")
def test_a_key_that_no_header_can_carry_is_in_no_reason(
    simulator: SimulatorControl, key: str
) -> None:
    source = HttpSource(simulator.url, max_bytes=100, headers={"x-key": key})
    with pytest.raises(SourceError) as raised:
        source.get("/any", {}, Deadline(0.3))
    assert "header" in str(raised.value)
    assert "CG-0123" not in str(raised.value)
    source.close()


@pytest.mark.parametrize("status", [200, 400, 401, 429, 503])
@pytest.mark.parametrize("write", [str, quote_plus, json.dumps, lambda key: f"<p>{key!r}</p>"])
@pytest.mark.row("secret-leak")
def test_a_key_that_the_source_repeats_is_in_no_reason(
    simulator: SimulatorControl, status: int, write: Callable[[str], str]
) -> None:
    simulator.fault("body", body=f"no: {write(KEY)}", status=status, times=None)
    source = HttpSource(simulator.url, max_bytes=1000, headers={"x-key": KEY})
    with pytest.raises(SourceError) as raised:
        source.get("/any", {}, Deadline(0.3))
    assert "no" in str(raised.value)
    assert not re.search("CG-0123|456|789", str(raised.value))
    source.close()


@pytest.mark.parametrize("shown", [brief, _message])
@pytest.mark.parametrize("before", [CHUNK - 12, CHUNK - 1, 200 - 12, 10 * CHUNK - 12])
@pytest.mark.parametrize("filling", [b" ", b"<p>"])
@pytest.mark.row("secret-leak")
def test_no_cut_goes_through_a_key(
    before: int, filling: bytes, shown: Callable[[bytes], str]
) -> None:
    know({KEY})
    body = (filling * before)[:before] + b" " + KEY.encode()
    assert "CG-0" not in shown(body)


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
    source = HttpSource(simulator.url, max_bytes=100, settings=see)
    with pytest.raises(SourceError) as raised:
        source.get("/any", {}, Deadline(5))
    assert (str(raised.value), raised.value.permanent) == (said, True)
    source.close()


@pytest.mark.parametrize("tags", ["<", "<a ", "</", "<a <b> "])
def test_a_page_of_tags_that_never_end_takes_no_longer_than_its_length(tags: str) -> None:
    # A pattern that looked for each tag's end to the end of the page took 2.4 s for 64 kB.
    def seconds(size: int) -> float:
        page = (tags * size)[:size].encode()
        began = time.process_time()
        _message(page)
        return time.process_time() - began

    small, large = (min(seconds(size) for _ in range(3)) for size in (CHUNK // 8, CHUNK))
    # 8 times the time for 8 times the length, where it was 60 times.
    assert large < 20 * small + 0.05


def test_a_page_says_what_stands_between_its_tags() -> None:
    assert _message(b"<html><h1 class='a'>Busy</h1>\n<p>wait 5 < 6 s") == "Busy wait 5 < 6 s"
