"""What a terminal is given: our colours, and nothing that somebody else sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli import logs, output
from cli.doctor.finding import problem
from cli.doctor.runner import line
from cli.output import paint, print_error, print_line, reprint_line
from cli.trace import lines
from logs import redaction
from logs.formatters import plain_line
from logs.redaction import UNPRINTABLE
from supervisor.control import Processes
from supervisor.log_files import Tail
from tests.harness.traced_update import an_update

# A title, a link, a cleared screen, our own colours, C1's CSI, a bell, a line that is written over,
# letters written backwards, and ends of lines that only some programs know.
HOSTILE = (
    "\x1b]0;title\x07\x1b]8;;http://evil.example\x1b\\\\\x1b[2J\x1b[32mgreen\x1b[0m\x9b31m\x08\r"
    "\u202egnp\u2028\x85\x7f\u200b\ud800"
)


@pytest.fixture(autouse=True)
def _in_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "coloured", lambda _: True)


def obeyed(text: str) -> str:
    """What a terminal would obey, beside the red and the green that are ours."""
    for ours in ("\x1b[31m", "\x1b[32m", "\x1b[0m"):
        text = text.replace(ours, "")
    return "".join(UNPRINTABLE.findall(text))


@pytest.mark.row("escape-sequences")
def test_our_colours_are_written_and_nobody_else_s(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(paint("mine", "red") + "\x1b[32mtheirs")
    assert capsys.readouterr().out == "\x1b[31mmine\x1b[0m\\u001b[32mtheirs\n"


@pytest.mark.parametrize(
    "write", [print_line, reprint_line, print_error, lambda text: print_line(paint(text, "red"))]
)
@pytest.mark.row("escape-sequences")
def test_whatever_is_said_is_only_shown(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    write(HOSTILE)
    said = capsys.readouterr()
    text = (said.out + said.err).removeprefix("\r")
    assert "\\u001b]0;title" in text
    assert obeyed(text) == ""
    assert "\x1b[32m" not in text


@pytest.mark.parametrize(
    "written",
    [
        HOSTILE,  # as a server that is not ours may write it
        json.dumps({"time": "T", "level": "info", "event": HOSTILE, HOSTILE: 1, "path": HOSTILE}),
        json.dumps({"time": "T", "level": "error", "event": "x", "exception": f"A\n{HOSTILE}"}),
        json.dumps(
            {"t": {"$date": "T"}, "s": "I", "msg": "Client", "attr": {"name": HOSTILE}},
            ensure_ascii=True,
        ),
        '{"t' + HOSTILE,
    ],
)
@pytest.mark.row("escape-sequences")
def test_logs_and_up_show_what_a_request_held_and_do_not_carry_it_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], written: str
) -> None:
    processes = Processes(tmp_path)
    processes.state_dir.create()
    log = processes.state_dir.log("api")
    log.write_text(f"{written}\n", encoding="utf-8", errors="surrogatepass")
    logs.show(processes, ["api"], 10)
    said = capsys.readouterr().out
    assert obeyed(said) == ""
    assert "\x1b[32m" not in said
    tail = list(Tail(log, 0).lines())
    assert "\n".join([*tail, ""]) == said


def test_what_somebody_sent_does_not_look_like_a_line_of_ours() -> None:
    event = {"time": "T", "level": "info", "event": "GET /\nT critical all is lost", "a\nT": "b\nc"}
    assert plain_line(event) == 'T info    GET /\\nT critical all is lost  a\\nT="b\\nc"'


@pytest.mark.row("escape-sequences")
def test_trace_and_doctor_show_it_alike(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = an_update(3, state=HOSTILE, id=HOSTILE, error=HOSTILE, stopped_before=HOSTILE)
    for text in (*lines(hostile), line(problem(HOSTILE, HOSTILE, HOSTILE))):
        print_line(text)
    said = capsys.readouterr().out
    assert obeyed(said.replace("\x1b[36m", "").replace("\x1b[33m", "")) == ""
    assert "\x1b[32mgreen" not in said


@pytest.mark.row("secret-leak")
def test_what_went_wrong_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    redaction.know(["hunter2-hunter2"])
    print_error("redis://:other@h: hunter2-hunter2")
    assert capsys.readouterr().err == "\x1b[31mredis://…@h: …\x1b[0m\n"
