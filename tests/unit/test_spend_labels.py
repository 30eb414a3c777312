"""BIP 329: what we don't know survives, what is malformed is refused, foreign wallets are noticed."""

import json

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput
from custody.spend.labels import LabelRecord, format_labels, origin_text, parse_labels, require_origin
from support.vaults import make_vault


def test_a_known_record_is_written_plainly() -> None:
    record = LabelRecord("addr", "bc1qexample", "Miete für Büro", spendable=False)
    assert parse_labels(format_labels([record])) == (record,)
    assert "Büro".encode() in format_labels([record])


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"spscan","ref":"sp1","label":"x","birthday":3}',
        '{"type": "tx", "ref": "aa", "label": "x", "rate": {"USD": 1233.450}, "heights": [1,2]}',
        '{"type":"output","ref":"aa:0","label":null}',
    ],
)
def test_what_is_unknown_comes_back_to_the_byte(line: str) -> None:
    assert format_labels(parse_labels(line.encode())) == line.encode() + b"\n"


def test_a_label_may_be_absent_and_lines_may_be_empty() -> None:
    records = parse_labels(b'\xef\xbb\xbf{"type":"output","ref":"aa:1","spendable":true}\r\n\r\n')
    assert records == (LabelRecord("output", "aa:1", None, spendable=True),)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"[]",
        b"{",
        b'{"type":"tx"}',
        b'{"type":"tx","ref":3}',
        b'{"type":"tx","ref":"a","type":"tx"}',
        b'{"type":"tx","ref":"a","spendable":"no"}',
        b'{"type":"tx","ref":"a","label":"\\ud800"}',
        b'{"type":"tx","ref":"a","x":NaN}',
        b'{"type":"tx","ref":"a","x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"type":"tx","ref":"' + b"a" * 70_000 + b'"}',
    ],
)
def test_malformed_lines_are_refused_with_their_number(data: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_labels(b'{"type":"tx","ref":"a"}\n' + data)
    assert caught.value.code is Code.LABELS_MALFORMED
    assert data == b"\xff" or caught.value.details == {"line": 2}


@pytest.mark.parametrize("script_type", list(ScriptType))
def test_an_origin_must_be_this_vault_s_in_any_spelling(script_type: ScriptType) -> None:
    vault = make_vault(script_type=script_type)
    origin = origin_text(vault.descriptor)
    inner = origin[origin.index("[") : origin.rindex("]") + 1]
    turned = origin.replace(inner, ",".join(reversed(inner.split(","))))
    for text in (origin, origin.replace("h", "'"), turned):
        spelled = text.replace("ws'", "wsh").replace("s'(", "sh(")
        require_origin([LabelRecord("tx", "aa", "x", spelled), LabelRecord("tx", "aa", "x")], vault.descriptor)
    for foreign in (
        "wpkh([d34db33f/84'/0'/0'])",
        origin.replace("(2,", "(1,"),
        origin_text(make_vault(seed=4).descriptor),
    ):
        with pytest.raises(CheckFailed) as caught:
            require_origin([LabelRecord("tx", "aa", "x", foreign)], vault.descriptor)
        assert caught.value.code is Code.VAULT_MISMATCH


def test_no_key_stands_in_an_origin() -> None:
    assert "pub" not in origin_text(make_vault().descriptor)
    assert json.dumps(origin_text(make_vault().descriptor)).count("[") == 3
