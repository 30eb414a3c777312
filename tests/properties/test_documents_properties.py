"""Documents for any value: what is written is read back, what is hidden is shown, what is secret is refused."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.documents import strict_yaml
from custody.documents.canonical_json import MAX_SAFE_INTEGER, canonical, parse_json
from custody.documents.display import csv_cell, escape
from custody.documents.secret_gate import find_secret, scan_bytes, scan_text
from custody.errors import InvalidInput, JsonValue, SecretRefused
from support.secrets import PUBLIC_VERSIONS, WORDS, extended, wif

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | texts
values: st.SearchStrategy[JsonValue] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)


@given(values)
def test_canonical_json_is_read_back_and_is_a_fixed_point(value: JsonValue) -> None:
    data = canonical(value)
    assert parse_json(data) == value
    assert canonical(parse_json(data)) == data
    assert json.loads(data) == value


@given(values)
def test_yaml_is_read_back(value: JsonValue) -> None:
    text = strict_yaml.dump(value)
    assert strict_yaml.load(text) == value
    assert strict_yaml.dump(strict_yaml.load(text)) == text


@given(st.text(alphabet="abn01:-_.~[]{}!&*#\"'%@\n \t,<=|>?\\xeTtYy", max_size=40))
def test_yaml_reader_answers_any_text_with_a_value_or_a_refusal(text: str) -> None:
    try:
        value = strict_yaml.load(text)
    except InvalidInput:
        return
    assert strict_yaml.load(strict_yaml.dump(value)) == value


@given(st.binary(max_size=60))
def test_json_reader_answers_any_bytes_with_a_value_or_a_refusal(data: bytes) -> None:
    try:
        value = parse_json(data)
    except InvalidInput:
        return
    assert parse_json(canonical(value)) == value


@given(st.text())
def test_nothing_invisible_is_left_on_a_screen(text: str) -> None:
    shown = escape(text)
    assert shown.isprintable()
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
    assert escape(shown) == shown


@given(st.text())
def test_no_cell_begins_a_formula(text: str) -> None:
    cell = csv_cell(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))


separators = st.sampled_from(
    [" ", "  ", "\n", "\t", ", ", ",", ";", " - ", "\n\n", "\r\n", '","', " | ", ".", "_", "/", "\\n"]
)
NUMBERINGS = """{word}
{n}. {word}
{n}) {word}
({n}) {word}
{n}: {word}
#{n} {word}
- {word}
* {word}
{n}\t{word}
word {n}: {word}
"{word}"
{n:02d}.{word}"""
numberings = st.sampled_from(NUMBERINGS.splitlines())
cases = st.sampled_from([str.lower, str.upper, str.capitalize])


@st.composite
def phrases(draw: st.DrawFn) -> str:
    """Return any phrase, drawn as seeds are: words without pattern, then written in some way, perhaps mistyped."""
    count = draw(st.sampled_from([12, 15, 18, 21, 24]))
    random = draw(st.randoms(use_true_random=False, note_method_calls=False))
    words = [random.choice(WORDS) for _ in range(count)]
    if draw(st.booleans()):
        words = [word[:4] for word in words]
    if draw(st.booleans()):
        words[random.randrange(count)] = draw(st.sampled_from(["qqzzy", "abandom", "zooo", "x"]))
    form, case = draw(numberings), draw(cases)
    return draw(separators).join(form.format(n=n, word=case(word)) for n, word in enumerate(words, start=1))


@given(phrases(), texts, texts)
def test_any_phrase_in_any_form_is_refused_and_never_repeated(phrase: str, before: str, after: str) -> None:
    text = f"{before}\n{phrase}\n{after}"
    for scan in (lambda: scan_text(text, place="stdin"), lambda: scan_bytes(text.encode(), place="stdin")):
        with pytest.raises(SecretRefused) as caught:
            scan()
        assert caught.value.message == "stdin holds what looks like a recovery phrase (BIP 39)"


@given(st.text(min_size=1), st.sampled_from([0x80, 0xEF]), st.booleans(), texts)
def test_any_wif_key_is_refused(seed: str, version: int, compressed: bool, around: str) -> None:
    assert find_secret(f"{around} {wif(seed, version=version, compressed=compressed)} {around}") is not None


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5), st.sampled_from(PUBLIC_VERSIONS))
def test_no_public_descriptor_is_refused(seeds: list[str], version: str) -> None:
    keys = ",".join(
        f"[73c5da0a/48h/0h/0h/2h]{extended(seed, version=version, private=False)}/<0;1>/*" for seed in seeds
    )
    assert find_secret(f"wsh(sortedmulti(1,{keys}))#qqqqqqqq") is None


@given(
    st.binary(min_size=32, max_size=32),
    st.sampled_from(["", "txid ", "vault_id: ", '"hash":"', "seed sha256: "]),
)
def test_no_hash_is_refused(digest: bytes, label: str) -> None:
    assert find_secret(f"{label}{digest.hex()}") is None


@given(st.binary(max_size=4000))
def test_no_random_bytes_are_refused(data: bytes) -> None:
    scan_bytes(b"psbt\xff" + data, place="stdin")
