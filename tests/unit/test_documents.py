"""Canonical JSON, strict YAML, names and display: one meaning in, one form out."""

import hashlib

import pytest

from custody.codes import Code
from custody.documents import strict_yaml
from custody.documents.canonical_json import MAX_SAFE_INTEGER, canonical, digest, parse_json
from custody.documents.display import csv_cell, escape, group_address
from custody.documents.names import check_name
from custody.errors import InvalidInput, JsonValue


def test_canonical_form_sorts_keys_by_utf16_and_escapes_as_little_as_it_may() -> None:
    # The example of RFC 8785, section 3.2.3, without its floats.
    value: JsonValue = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(parse_json(canonical(value)) or ()) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert canonical({"b": [True, None, -1], "a": "\u20ac$\u000f\nA'B\"\\/"}) == (
        '{"a":"\u20ac$\\u000f\\nA\'B\\"\\\\/","b":[true,null,-1]}'.encode()
    )


def test_digest_is_the_hash_of_the_canonical_form() -> None:
    assert digest({"b": 1, "a": 2}) == hashlib.sha256(b'{"a":2,"b":1}').hexdigest()


@pytest.mark.parametrize(
    "value",
    [1.0, float("nan"), MAX_SAFE_INTEGER + 1, -MAX_SAFE_INTEGER - 1, "\ud800", {"\udfff": 1}, {1: 2}, {None: 2}, b"x",
     (1, 2), {1}, [[1.5]], {"a": {"b": object()}}],
)  # fmt: skip
def test_canonical_form_refuses_what_has_none(value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        canonical(value)  # type: ignore[arg-type]
    assert caught.value.code is Code.MALFORMED_DOCUMENT


BAD_JSON = {
    "duplicate key": b'{"a":1,"a":1}',
    "duplicate key by escape": b'{"a":1,"\\u0061":2}',
    "float": b"[1.0]",
    "exponent": b"1e3",
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "too large": b"9007199254740992",
    "thousands of digits": b"9" * 10_000,
    "minus zero": b"-0",
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "not UTF-8": b'"\xff"',
    "lone surrogate": b'"\\ud800"',
    "control character": b'"\x01"',
    "trailing data": b"{} {}",
    "trailing comma": b"[1,]",
    "comment": b"1 // one",
    "empty": b"",
    "65 levels": b"[" * 65 + b"]" * 65,
    "a million levels": b"[" * 1_000_000,
    "leading zero": b"01",
    "plus": b"+1",
    "single quotes": b"{'a':1}",
}


@pytest.mark.parametrize("data", BAD_JSON.values(), ids=BAD_JSON)
def test_json_reader_is_strict(data: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_json(data)
    assert caught.value.code is Code.MALFORMED_DOCUMENT


def test_json_reader_has_limits() -> None:
    assert parse_json(b"[" * 64 + b"]" * 64) is not None
    assert parse_json(str(MAX_SAFE_INTEGER).encode()) == MAX_SAFE_INTEGER
    with pytest.raises(InvalidInput) as caught:
        parse_json(b'"12345"', max_bytes=6)
    assert caught.value.code is Code.FILE_TOO_LARGE


def test_yaml_reads_the_plain_part_of_the_language() -> None:
    text = """\
# a comment
name: reserve
threshold: 3
negative: -12
governed: true
ungoverned: false
nothing: null
empty: ""
quoted: "no"
single: 'on'
amount: 1.5btc
fingerprint: 73c5da0a
path: 48h/0h/0h/2h
"1": one
list:
  - a
  - [b, c]
  - {d: e}
text: |
  two
  lines
"""
    assert strict_yaml.load(text) == {
        "name": "reserve",
        "threshold": 3,
        "negative": -12,
        "governed": True,
        "ungoverned": False,
        "nothing": None,
        "empty": "",
        "quoted": "no",
        "single": "on",
        "amount": "1.5btc",
        "fingerprint": "73c5da0a",
        "path": "48h/0h/0h/2h",
        "1": "one",
        "list": ["a", ["b", "c"], {"d": "e"}],
        "text": "two\nlines\n",
    }


def test_yaml_keeps_where_each_value_and_key_stood() -> None:
    document = strict_yaml.load_marked("a: 1\nb:\n  - {c: d}\n  - e\n")
    assert document.value == {"a": 1, "b": [{"c": "d"}, "e"]}
    assert {path: str(position) for path, position in document.values.items()} == {
        (): "line 1, column 1",
        ("a",): "line 1, column 4",
        ("b",): "line 3, column 3",
        ("b", 0): "line 3, column 5",
        ("b", 0, "c"): "line 3, column 9",
        ("b", 1): "line 4, column 5",
    }
    assert {path: str(position) for path, position in document.keys.items()} == {
        ("a",): "line 1, column 1",
        ("b",): "line 2, column 1",
        ("b", 0, "c"): "line 3, column 6",
    }


def test_yaml_errors_name_line_and_column_and_repeat_nothing() -> None:
    with pytest.raises(InvalidInput) as caught:
        strict_yaml.load("a: 1\nb:\n  - x\n  - canary: yes\n")
    assert "line 4, column 13" in caught.value.message
    assert "canary" not in caught.value.message


def test_yaml_writer_quotes_what_a_reader_could_mistake() -> None:
    value: JsonValue = {"a": ["no", "1", "1.5", "plain-text_1", "two words", "\u202e", {"k": []}, {}], "yes": None}
    assert strict_yaml.dump(value) == (
        'a:\n  - "no"\n  - "1"\n  - "1.5"\n  - plain-text_1\n  - "two words"\n  - "\\u202E"\n  - k: []\n  - {}\n'
        '"yes": null\n'
    )


@pytest.mark.parametrize("value", [1.5, {"a": 1.0}, 2**53, {1: 2}, "\ud800", b"x"])
def test_yaml_writer_refuses_what_no_document_holds(value: object) -> None:
    with pytest.raises(InvalidInput):
        strict_yaml.dump(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["a", "0", "alice", "a-b_c", "9lives", "a" * 64])
def test_names_are_lower_case_ascii(text: str) -> None:
    assert check_name(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "A", "-a", "_a", "a b", "a.b", "a/b", "..", "a\n", "a\0", "é", "а", "ａ", "a" * 65, "a\u200b", "/a", "a\\b"],
)
def test_refuses_other_names(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_name(text)
    assert caught.value.code is Code.NAME_INVALID


def test_addresses_are_shown_in_groups_of_four() -> None:
    assert group_address("bc1qar0srrr7") == "bc1q ar0s rrr7"
    assert group_address("bc1qa") == "bc1q a"
    assert group_address("") == ""


def test_ordinary_text_is_shown_as_it_is() -> None:
    for text in ("plain", "Zürich, 日本, 😀", "a\\u{202E}", "it's `fine`"):
        assert escape(text) == text
        assert csv_cell(text) == text
