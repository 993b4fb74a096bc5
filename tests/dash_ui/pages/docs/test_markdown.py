"""A Markdown text as Dash's components."""

import json
from typing import Any

import pytest

from dash_ui.pages.docs.markdown import Target, rendered


def made(text: str) -> Any:
    """The first component, as the browser gets it."""
    [part] = rendered(text, Target).parts
    return json.loads(json.dumps(part, default=lambda one: one.to_plotly_json()))


def shape(component: Any) -> Any:
    """Types and texts alone."""
    if isinstance(component, list):
        return [shape(one) for one in component]
    if isinstance(component, str):
        return component
    return component["type"], shape(component["props"].get("children") or [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\ntwo", ("P", [("Span", ["one", " ", "two"])])),
        ("**a** *b*", ("P", [("Span", [("Strong", ["a"]), " ", ("Em", ["b"])])])),
        ("a  \nb", ("P", [("Span", ["a", ("Br", []), "b"])])),
        ("say `this`", ("P", [("Span", ["say ", ("Code", "this")])])),
        ("- a\n- b", ("Ul", [("Li", [("P", ["a"])]), ("Li", [("P", ["b"])])])),
        ("1. a", ("Ol", [("Li", [("P", ["a"])])])),
        ("> a", ("Blockquote", [("P", ["a"])])),
        ("---", ("Hr", [])),
        ("```sh\nls <x>\n```", ("Pre", ("Code", "ls <x>\n"))),
        ("    ls", ("Pre", ("Code", "ls\n"))),
        ("<b onclick=x>no markup</b>", ("P", ["<b onclick=x>no markup</b>"])),
    ],
)
def test_each_kind_of_text(text: str, expected: Any) -> None:
    assert shape(made(text)) == expected


def test_a_table_scrolls_in_a_box_of_its_own() -> None:
    box = made("| a | b |\n|---|---|\n| 1 | `2` |")
    assert box["props"]["className"] == "guide-table"
    assert box["props"]["tabIndex"] == 0
    head, body = shape(box["props"]["children"])[1]
    assert head == ("Thead", [("Tr", [("Th", ["a"]), ("Th", ["b"])])])
    assert body == ("Tbody", [("Tr", [("Td", ["1"]), ("Td", [("Code", "2")])])])


def test_headings_have_anchors_of_their_own() -> None:
    found = rendered("# The `API`, now\n## A-b c\n## A-b c\n## A-b c", Target).headings
    assert [(one.level, one.text, one.anchor) for one in found] == [
        (1, "The API, now", "the-api-now"),
        (2, "A-b c", "a-b-c"),
        (2, "A-b c", "a-b-c-1"),
        (2, "A-b c", "a-b-c-2"),
    ]
    heading = made("## Two words")
    assert heading["props"]["id"] == "two-words"
    assert heading["props"]["children"]["props"]["href"] == "#two-words"


def test_links_and_images_lead_where_they_are_told() -> None:
    def leads(target: str) -> Target:
        return Target(f"/there/{target}", is_page=target.endswith(".md"))

    [part] = rendered("[x](a.md) [y](b.txt) ![z](c.png)", leads).parts
    inside = json.loads(json.dumps(part, default=lambda one: one.to_plotly_json()))
    page, _, file, _, image = inside["props"]["children"][0]["props"]["children"]
    assert (page["type"], page["props"]["href"]) == ("Link", "/there/a.md")
    assert (file["type"], file["props"]["href"]) == ("A", "/there/b.txt")
    assert (image["props"]["src"], image["props"]["alt"]) == ("/there/c.png", "z")
