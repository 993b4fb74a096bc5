"""Python and packages, beside what is asked for."""

from pathlib import Path

import pytest

from cli.doctor import installation


def test_what_runs_the_tests_is_as_pinned() -> None:
    assert installation.python()[0].state == "ok"
    [found] = installation.packages()
    assert found.state == "ok"
    assert found.text.endswith("as pinned in requirements.txt and requirements-servers.txt")


def test_each_package_that_is_not_as_pinned_is_named_with_the_cure(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(
        "# What runs it.\n--no-index\nflask==0.1  # too old\nno-such-package==1.0\n"
        "elsewhere==1.0; sys_platform == 'plan9'\nPyTest>=1 \\\n    --hash=sha256:00\n"
    )
    [found] = installation.packages([file])
    assert found.state == "fault"
    assert found.text.startswith("flask is ")
    assert found.text.endswith(", not 0.1, no-such-package==1.0 is not installed")
    assert str(found.cure).endswith("-m pip install -r requirements.txt")
    file.write_text("".join(f"no-such-{number}==1\n" for number in range(7)))
    assert installation.packages([file])[0].text.endswith("and 2 more")


def test_an_old_python_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "OLDEST", (99, 0))
    [found] = installation.python()
    assert (found.state, "install Python" in str(found.cure)) == ("fault", True)
