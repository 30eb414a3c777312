"""BSMS encryption for any token and content: it comes back, and no changed byte does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CustodyError
from custody.vault.bsms_cipher import seal, unseal
from custody.vault.bsms_key_record import read_key_record
from custody.vault.bsms_token import Encryption, Token
from custody.vault.formats import bsms

TOKENS = st.one_of(st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16)).filter(any).map(Token)
CONTENTS = st.binary(min_size=1, max_size=400)


@given(token=TOKENS, content=CONTENTS)
def test_what_is_sealed_comes_back(token: Token, content: bytes) -> None:
    sealed = seal(token, content)
    assert len(sealed) == 2 * (32 + len(content))
    assert unseal(token, sealed) == content
    assert unseal(token, sealed.upper() + b"\n") == content


@given(token=TOKENS, content=CONTENTS, where=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_no_changed_byte_comes_back(token: Token, content: bytes, where: int, bit: int) -> None:
    raw = bytearray(bytes.fromhex(seal(token, content).decode()))
    raw[where % len(raw)] ^= 1 << bit
    with pytest.raises(CustodyError) as refused:
        unseal(token, raw.hex().encode())
    assert refused.value.code is Code.BSMS_MAC


@given(token=TOKENS, other=TOKENS, content=CONTENTS)
def test_no_other_token_opens_it(token: Token, other: Token, content: bytes) -> None:
    if token == other:
        return
    with pytest.raises(CustodyError) as refused:
        unseal(other, seal(token, content))
    assert refused.value.code is Code.BSMS_MAC


@given(data=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_content_is_read_or_refused(data: bytes) -> None:
    token = Token(b"\0")
    head = b"BSMS 1.0\n"
    for content in (data, head + data, head + b"00\n" + data):
        for read in (
            lambda content=content: read_key_record(content, token=token, network=Network.REGTEST),
            lambda content=content: bsms.parse(content, Network.REGTEST),
            lambda content=content: unseal(Token(b"\x01" * 8), content),
        ):
            with pytest.raises(CustodyError) as refused:
                read()
            assert refused.value.exit_code in (3, 6)


@given(number=st.integers(min_value=1, max_value=2**128 - 1))
def test_decimal_tokens_are_the_number(number: int) -> None:
    text = str(number)
    if len(text) in (16, 32):
        return
    token = Token.from_text(text)
    assert int(token.hex, 16) == number
    assert token.encryption is (Encryption.STANDARD if number < 2**64 else Encryption.EXTENDED)


@given(text=st.text(max_size=60))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    try:
        token = Token.from_text(text)
    except CustodyError as refused:
        assert refused.code is Code.BSMS_TOKEN_INVALID
    else:
        assert Token.from_text(token.to_text()) == token
