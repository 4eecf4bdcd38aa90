"""Tables of the harness: aligned, and no wider than the terminal."""

from __future__ import annotations

from orchestrator.bench.tables import Cell, Table, number


def table() -> Table:
    """Three columns, of which the middle one is dispensable."""
    made = Table(["name", "wait", "rate"], left={0}, dispensable=[1])
    made.add("one", "1.5", Cell("12", "bold"))
    made.add("twelve", "10", "1,234")
    return made


def test_columns_are_aligned() -> None:
    """Words to the left, figures to the right."""
    assert table().text(coloured=False).splitlines() == [
        "name    wait   rate",
        "one      1.5     12",
        "twelve    10  1,234",
    ]


def test_what_does_not_fit_goes_in_the_order_given() -> None:
    """Everything is there where there is room."""
    assert table().text(coloured=False, width=19).splitlines()[0] == "name    wait   rate"
    assert table().text(coloured=False, width=18).splitlines() == [
        "name     rate",
        "one        12",
        "twelve  1,234",
    ]


def test_a_column_without_figures_is_left_out() -> None:
    """Heading and all."""
    made = Table(["a", "b", "c"], left=())
    made.add("1", "", "2")
    assert made.text(coloured=False) == "a  c\n1  2"


def test_styles_show_on_a_terminal_only() -> None:
    """As codes around the text."""
    assert "\x1b[1m" in table().text(coloured=True)
    assert "\x1b" not in table().text(coloured=False)


def test_figures_are_rounded_to_what_a_reader_needs() -> None:
    """Three digits, or all of a large one; nothing for none."""
    assert [number(value) for value in (1234567.8, 99.94, 0.01234, None)] == [
        "1,234,568",
        "99.9",
        "0.0123",
        "",
    ]
