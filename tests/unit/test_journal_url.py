"""Where a journal's database is: no password, one host, and a word about TLS unless it is this machine."""

import pytest

from custody.codes import Code
from custody.errors import InvalidInput, SecretRefused
from custody.workspace.journal_url import JournalUrl, is_this_machine

GOOD = [
    "postgresql://db.example:5432/reserve?sslmode=verify-full",
    "postgres://ann@db.example/reserve?sslmode=require&sslrootcert=system",
    "postgresql://db.example/reserve?sslmode=disable",
    "postgresql://ann@[::1]:5433/reserve",
    "postgresql://127.0.0.1/reserve",
    "postgresql:///reserve",
    "postgresql:///reserve?host=/run/postgresql&port=5433",
    "postgresql://%2Frun%2Fpostgresql/reserve",
    "postgresql://?service=reserve&sslmode=verify-full",
]


@pytest.mark.parametrize("text", GOOD)
def test_takes_a_url_as_it_is(text: str) -> None:
    assert JournalUrl.parse(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:hunter2@db.example/reserve?sslmode=verify-full",
        "postgresql://ann:@db.example/reserve?sslmode=verify-full",
        "postgresql://db.example/reserve?sslmode=verify-full&password=hunter2",
        "postgresql://db.example/reserve?PASSWORD=hunter2",
        "postgresql://db.example/reserve?sslpassword=hunter2",
        "postgresql://ann:hunter?2@db.example/reserve",
        "postgresql://ann:hunter/2@db.example/reserve",
        "postgresql://ann:hunter#2@[db.example/reserve",
        "mysql://ann:hunter2@db.example/reserve",
        "ann:hunter2@db.example",
    ],
)
def test_refuses_a_password_wherever_it_hides_and_never_repeats_it(text: str) -> None:
    with pytest.raises(SecretRefused) as caught:
        JournalUrl.parse(text)
    assert caught.value.code is Code.SECRET_MATERIAL
    assert "hunter" not in f"{caught.value.message} {caught.value.advice} {caught.value.details}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "form"),
        ("sqlite:", "form"),
        ("http://db.example/reserve", "form"),
        ("host=db.example dbname=reserve", "form"),
        ("postgresql://db.example:0/reserve?sslmode=require", "form"),
        ("postgresql://db.example:x/reserve?sslmode=require", "form"),
        ("postgresql://[db.example/reserve", "form"),
        ("postgresql://db.example/reserve?sslmode", "form"),
        ("postgresql://db.example/reserve?sslmode=require#x", "form"),
        ("postgresql://db.example/re serve?sslmode=require", "form"),
        ("postgresql://one,two/reserve?sslmode=require", "form"),
        ("postgresql://one%2Ctwo/reserve?sslmode=require", "several hosts"),
        ("postgresql:///reserve?host=one%2Ctwo&sslmode=require", "several hosts"),
        ("postgresql://db.example?sslmode=require", "no database"),
        ("postgresql://db.example/reserve?sslmode=require&sslmode=disable", "repeated"),
        ("postgresql://db.example/reserve?sslmode=require&options=-csynchronous_commit%3Doff", "unknown"),
        ("postgresql://db.example/reserve?sslmode=require&hostaddr=10.0.0.1", "unknown"),
        ("postgresql://db.example/reserve", "TLS"),
        ("postgresql://db.example/reserve?sslmode=prefer", "TLS"),
        ("postgresql://10.0.0.1/reserve?sslmode=allow", "TLS"),
        ("postgresql:///reserve?host=db.example", "TLS"),
    ],
)
def test_refuses_what_it_does_not_know(text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        JournalUrl.parse(text)
    assert (caught.value.code, caught.value.exit_code) == (Code.MALFORMED_DOCUMENT, 6)
    assert words in caught.value.message


def test_knows_what_stays_on_this_machine() -> None:
    assert all(map(is_this_machine, ("", "/run/postgresql", "localhost", "127.0.0.9", "::1", "[::1]")))
    assert not any(map(is_this_machine, ("db.example", "localhost.example", "10.0.0.1", "::2")))
