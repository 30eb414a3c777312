"""Long lines on a terminal: nothing is lost, labels stay apart, commands and tables stay whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody_cli.wrapping import fitted

HASH = "ab" * 32


@pytest.mark.parametrize(
    ("line", "begin"),
    [
        ("WARN   CODE@tx: " + "many words " * 12, 7),
        ("  - " + "many words " * 12, 4),
        ("at block        113 " + "many words " * 12, 16),
        ("       " + "many words " * 12, 7),
        ("many words " * 12, 0),
    ],
)
def test_what_follows_stands_under_the_words_and_not_under_the_label(line: str, begin: int) -> None:
    pieces = fitted(line.rstrip(), 80)
    assert len(pieces) > 1 and max(map(len, pieces)) <= 80
    assert all(piece[:begin] == " " * begin and piece[begin] != " " for piece in pieces[1:])
    assert [word for piece in pieces for word in piece.split()] == line.split()


@pytest.mark.parametrize(
    "line",
    [
        "  custody audit reserves prove --challenge challenge.json --route payment --txid TXID -o statement.json",
        "receive      0  bcrt1" + "q" * 90,
        "x" * 100,
        "█▀ ▄" * 40,
        "a table   of 12   and 13   and 14   and 15   and 16   and 17   and 18   and 19   and 20   and 21",
    ],
)
def test_commands_tables_codes_and_long_words_are_left_whole(line: str) -> None:
    assert fitted(line, 80) == [line]


def test_a_terminal_that_does_not_say_its_width_gets_the_line_as_it_is() -> None:
    assert fitted("many words " * 20, 0) == ["many words " * 20]


@given(st.text(alphabet="ab -:`.", max_size=300), st.integers(0, 130))
def test_no_word_is_lost_or_changed(line: str, columns: int) -> None:
    pieces = fitted(line, columns)
    assert [word for piece in pieces for word in piece.split()] == line.split()
