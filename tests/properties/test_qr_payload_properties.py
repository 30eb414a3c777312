"""Whatever a payload from QR codes claims to be: it is read or refused by us, and no private key slips through."""

from hypothesis import given
from hypothesis import strategies as st

from custody.bitcoin.qr_payload import QrPayload, ShowAs, frames_of, payload_of, recognise
from custody.documents.qr.bbqr import BbqrType
from custody.documents.qr.cbor import CborValue, Tagged, cbor_encode
from custody.documents.qr.joiner import Dialect, Joiner, Transfer
from custody.documents.qr.ur import wrap_bytes
from custody.errors import CustodyError, SecretRefused

UR_TYPES = st.sampled_from(
    (
        *("bytes", "psbt", "crypto-psbt", "crypto-output", "output-descriptor", "crypto-account", "account-descriptor"),
        *("crypto-hdkey", "hdkey", "address", "envelope"),
    )
)
KEY = bytes.fromhex("02d2b36900396c9282fa14628566582f206a5dd0bcc8d5e892611806cafb0301f0")
TAGS = st.sampled_from([303, 304, 305, 306, 308, 400, 401, 403, 406, 407, 40303, 40304, 40308])
LEAVES: st.SearchStrategy[CborValue] = st.one_of(
    st.integers(0, 2**33),
    st.booleans(),
    st.none(),
    st.sampled_from([KEY, KEY[1:], b"\0" + KEY[1:]]),
    st.binary(max_size=40),
    st.sampled_from(["wsh(sortedmulti(1,@0))", "@0", "pkh(@0)", "@9", ""]),
)
VALUES: st.SearchStrategy[CborValue] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(st.integers(1, 9), inner, max_size=6),
        st.builds(Tagged, TAGS, inner),
    ),
    max_leaves=25,
)


def read(transfer: Transfer) -> QrPayload | None:
    try:
        return payload_of(transfer)
    except CustodyError as error:
        assert error.message
        return None


@given(UR_TYPES, VALUES)
def test_any_cbor_of_any_type_is_read_or_refused(ur_type: str, value: CborValue) -> None:
    read(Transfer(Dialect.UR, ur_type, cbor_encode(value), 1))


@given(UR_TYPES, st.binary(max_size=200))
def test_any_bytes_of_any_type_are_read_or_refused(ur_type: str, junk: bytes) -> None:
    read(Transfer(Dialect.UR, ur_type, junk, 1))
    read(Transfer(Dialect.UR, ur_type, wrap_bytes(junk), 1))


@given(st.sampled_from(BbqrType), st.binary(max_size=200))
def test_any_file_of_any_letter_is_read_or_refused(letter: BbqrType, junk: bytes) -> None:
    read(Transfer(Dialect.BBQR, letter.value, junk, 1))


@given(UR_TYPES, st.lists(VALUES, max_size=3), st.sampled_from([303, 40303]))
def test_private_key_never_slips_through(ur_type: str, others: list[CborValue], tag: int) -> None:
    private = Tagged(tag, {2: True, 3: b"\0" + KEY[1:], 4: KEY[1:]})
    beside: CborValue = (*others, private)
    account: CborValue = {1: 5, 2: (private,)}
    described: CborValue = {1: "pkh(@0)", 2: (private,)}
    for value in (beside, Tagged(401, private), account, described):
        assert read(Transfer(Dialect.UR, ur_type, cbor_encode(value), 1)) is None
    if ur_type in ("crypto-output", "output-descriptor", "crypto-account", "account-descriptor"):
        try:
            payload_of(Transfer(Dialect.UR, ur_type, cbor_encode((*others, private)), 1))
        except SecretRefused as error:
            assert KEY[1:].hex() not in str(error.args)
        else:
            raise AssertionError


@given(st.text(min_size=1, max_size=300).filter(lambda text: text.strip() != ""), st.sampled_from(ShowAs))
def test_any_text_comes_back_as_it_was(text: str, show_as: ShowAs) -> None:
    try:
        payload = recognise(text.encode())
        joiner = Joiner()
        for frame in frames_of(payload, show_as, 400):
            if joiner.add(frame).is_complete:
                break
        found = payload_of(joiner.transfer())
    except CustodyError:  # what looks like a secret, or a plain text that is a damaged frame
        return
    assert found.data.strip() == payload.data.strip() or show_as is ShowAs.PLAIN
