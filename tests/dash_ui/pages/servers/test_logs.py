"""Which lines of an output are shown."""

import pytest

from dash_ui.pages.servers.logs import describe, matching

LINES = ["INFO one", "\x1b[31mERROR\x1b[0m two", "info [three]"]


@pytest.mark.parametrize(
    ("part", "kept"),
    [
        ("", ["INFO one", "ERROR two", "info [three]"]),
        ("Info", ["INFO one", "info [three]"]),
        ("error two", ["ERROR two"]),
        ("[", ["info [three]"]),
        ("four", []),
    ],
)
def test_lines_that_contain_the_text_without_colours(part: str, kept: list[str]) -> None:
    assert matching(LINES, part) == kept


def test_what_is_shown_in_words() -> None:
    assert describe("api", LINES, LINES, "") == "Last 3 lines of api"
    assert describe("api", LINES, LINES[:1], "one") == ('Last 3 lines of api, 1 of them with "one"')
    assert describe("api", [], [], "") == "The log of api is empty."
