"""The quick way of writing and reading canonical JSON and the slow one: same bytes, verdict and value, on any input.

Slow is rfc8785 for writing; for reading `parse_json`, then rfc8785 of the value, then a comparison of all bytes.
Quick are `canonical` and `parse_canonical`, which believe the standard library's writer where they may.
"""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from custody.documents.canonical_json import MAX_DEPTH, MAX_SAFE_INTEGER, canonical, parse_canonical, parse_json
from custody.errors import InvalidInput, JsonValue

# Where the two orders of keys differ: beyond U+FFFF, and between the surrogates and there.
telling = st.sampled_from(["", "a", "é", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff", '"', "\\", "\x1f"])
characters = st.characters(exclude_categories=["Cs"])
texts = st.text(characters, max_size=6) | st.lists(telling, max_size=4).map("".join)
integers = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | st.sampled_from([0, MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER])
scalars = st.none() | st.booleans() | integers | texts
values: st.SearchStrategy[JsonValue] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)

Verdict = tuple[str, object]


def slow(data: bytes) -> Verdict:
    try:
        value = parse_json(data)
    except InvalidInput:
        return "refused", None
    return ("read", value) if rfc8785.dumps(value) == data else ("refused", None)


def quick(data: bytes) -> Verdict:
    try:
        return "read", parse_canonical(data)
    except InvalidInput:
        return "refused", None


def shown(verdict: Verdict) -> tuple[str, str]:
    """Compare by text, in which 1, True and 1.0 differ."""
    return verdict[0], repr(verdict[1])


@given(values)
def test_every_value_is_written_as_rfc8785_writes_it(value: JsonValue) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(values)
def test_every_canonical_document_is_read_both_ways(value: JsonValue) -> None:
    data = canonical(value)
    assert shown(quick(data)) == shown(slow(data)) == shown(("read", parse_json(data)))


@st.composite
def other_spellings(draw: st.DrawFn) -> bytes:
    """A good value, written by another hand."""
    text = json.dumps(
        draw(values),
        ensure_ascii=draw(st.booleans()),
        sort_keys=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (",", ": ")])),
    )
    around = st.sampled_from(["", "", "", " ", "\n", "\ufeff", "\0"])
    return (draw(around) + text + draw(around)).encode()


@given(other_spellings())
def test_other_spellings_have_one_verdict(data: bytes) -> None:
    assert shown(quick(data)) == shown(slow(data))


PIECES = [
    *(b'"', b"\\", b"\\u0041", b"\\ud800", b"\\ud83d\\ude00", b"\\/", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n"),
    *(b"0", b"-0", b"-", b".5", b"e3", b"1e3", b"9007199254740992", b"9" * 16, b"9" * 5_000, b"NaN", b"Infinity"),
    *(b"null", b'"a":1,', b'"a":1,"a":1', b"\xff", b"\xed\xa0\x80", b"\xf0\x90\x80\x80", b"\xc3\xa9", b"\x7f", b"\0"),
    *(b"[" * 70, b"]" * 70, b'{"":' * 70),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A canonical document in which some bytes were replaced, put in, taken out or doubled."""
    data = canonical(draw(values))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 4)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=3) | st.just(data[start:end] * 2))
        data = data[:start] + piece + data[end:]
    return data


@given(mutated())
def test_mutated_documents_have_one_verdict(data: bytes) -> None:
    assert shown(quick(data)) == shown(slow(data))


@given(st.binary(max_size=40) | st.text('{}[]",:\\u0123456789eE.-+ntrfalsd \n', max_size=40).map(str.encode))
def test_any_bytes_have_one_verdict(data: bytes) -> None:
    assert shown(quick(data)) == shown(slow(data))


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("inside", [b"", b"1", b'"[[{{"'])
def test_the_depth_limit_is_one(opening: bytes, inside: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    for depth in (MAX_DEPTH - 2, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 2_000, 200_000):
        if inside == b"" and opening != b"[":
            data = b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)
        else:
            data = opening * depth + inside + closing * depth
        assert shown(quick(data)) == shown(slow(data))
        levels = depth + (inside != b"")
        assert (quick(data)[0] == "read") is (levels <= MAX_DEPTH), (levels, data[:80])


@pytest.mark.parametrize("number", [MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER, 0, 10**15, 10**16, 10**17, 2**53, -(2**53)])
def test_the_range_of_numbers_is_one(number: int) -> None:
    data = b'{"n":[%d]}' % number
    assert shown(quick(data)) == shown(slow(data))
    assert (quick(data)[0] == "read") is (abs(number) <= MAX_SAFE_INTEGER)


def test_the_two_writers_agree_on_every_character_and_its_neighbours() -> None:
    for first in range(0, 0x110000, 0x400):
        text = "".join(chr(code) for code in range(first, first + 0x400) if not 0xD800 <= code <= 0xDFFF)
        assert json.dumps(text, ensure_ascii=False).encode() == rfc8785.dumps(text)
        data = rfc8785.dumps({text: text})
        assert parse_canonical(data) == {text: text}


def test_keys_beyond_the_basic_plane_are_ordered_by_utf_16() -> None:
    right, wrong = '{"\U00010000":1,"\uffff":2}'.encode(), '{"\uffff":2,"\U00010000":1}'.encode()
    assert canonical({"\uffff": 2, "\U00010000": 1}) == right
    assert quick(right)[0] == "read"
    assert quick(wrong)[0] == "refused"


def test_the_size_limit_is_one() -> None:
    data = b'"' + b"a" * 98 + b'"'
    assert parse_canonical(data, max_bytes=100) == "a" * 98
    for read in (parse_canonical, parse_json):
        with pytest.raises(InvalidInput) as caught:
            read(data, max_bytes=99)
        assert caught.value.code == "FILE_TOO_LARGE"
