"""What `python -m bench.perf.page_load` says of its measurements."""

import pytest

from bench.perf.page_load import told


@pytest.mark.parametrize(("values", "met"), [([100.0, 300.0, 200.0], True), ([201.0] * 3, False)])
def test_the_median_decides_and_the_best_stands_beside_it(
    capsys: pytest.CaptureFixture[str], values: list[float], *, met: bool
) -> None:
    assert told("first prices", values, "ms", 200) is met
    said = capsys.readouterr().out
    assert f"best {min(values):.0f}, worst {max(values):.0f}" in said
    assert "of the 200 allowed" in said
