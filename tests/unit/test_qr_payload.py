"""What a payload from QR codes is: registered types, declared and sniffed; private keys in any of them."""

import base64
from itertools import islice

import pytest

from custody.bitcoin.descriptor import Descriptor, ScriptType
from custody.bitcoin.network import Network
from custody.bitcoin.qr_payload import PayloadKind, QrPayload, ShowAs, frames_of, payload_of, recognise
from custody.bitcoin.ur_keys import eckey_text, hdkey_text, require_public
from custody.bitcoin.ur_outputs import account_of, described_message, descriptor_message, output_text
from custody.documents.qr.bbqr import BbqrEncoding, BbqrType, bbqr_frames
from custody.documents.qr.bytewords import bytewords_encode
from custody.documents.qr.cbor import CborValue, Tagged, cbor_decode, cbor_encode
from custody.documents.qr.joiner import Joiner
from custody.documents.qr.ur import wrap_bytes
from custody.errors import InvalidInput, SecretRefused
from support.psbt_builder import EXTERNAL_SCRIPT, Change, Coin, Pay, TestVault

PAYMENT = TestVault().payment([Coin(0, 1, 500_000)], [Pay(EXTERNAL_SCRIPT, 100_000), Change(0, 399_000)])
KEY = bytes.fromhex("02d2b36900396c9282fa14628566582f206a5dd0bcc8d5e892611806cafb0301f0")
CHAIN = bytes.fromhex("637807030d55d01f9a0cb3a7839515d796bd07706386a6eddf06cc29a65a0e29")
OUTPUT = (  # BCR-2020-010, test vector 3
    "d90190d90196a201020282d90132a1035821022f01e5e15cca351daff3843fb70f3c2f0a1bdd05e5af888a67784ef3e10a2a01"
    "d90132a103582103acd484e2f0c7f65309ad178a9f559abde09796974c57e714c35f110dfc27ccbe"
)


def read(frames: list[str | bytes]) -> QrPayload:
    joiner = Joiner()
    for frame in frames:
        joiner.add(frame)
    return payload_of(joiner.transfer())


def ur(ur_type: str, message: bytes) -> str:
    return f"ur:{ur_type}/{bytewords_encode(message)}"


def bbqr(data: bytes, file_type: BbqrType) -> list[str | bytes]:
    return list(bbqr_frames(data, file_type, BbqrEncoding.HEX, 4_000))


def steps(*components: CborValue, tag: int = 304) -> Tagged:
    return Tagged(tag, {1: components})


def hdkey(**changes: CborValue) -> dict[int | str, CborValue]:
    """Return an hdkey at 48h/0h/0h/2h; `f5=…` changes field 5, None takes it out."""
    origin = (48, True, 0, True, 0, True, 2, True)
    fields: dict[int | str, CborValue] = {3: KEY, 4: CHAIN, 6: Tagged(304, {1: origin, 2: 0xD34DB33F}), 8: 0x11223344}
    fields |= {int(name[1:]): value for name, value in changes.items()}
    return {key: value for key, value in fields.items() if value is not None}


@pytest.mark.parametrize("script_type", ScriptType)
@pytest.mark.parametrize("network", [Network.MAIN, Network.REGTEST])
@pytest.mark.parametrize("branches", [(0, 1), (0,), (1,)])
def test_descriptor_survives_both_generations(
    script_type: ScriptType, network: Network, branches: tuple[int, ...]
) -> None:
    whole = TestVault(script_type=script_type, network=network).descriptor
    descriptor = Descriptor(script_type, 3, whole.keys, branches)
    text = descriptor.to_text(network)
    assert output_text("crypto-output", descriptor_message(descriptor, network)) == text
    assert output_text("output-descriptor", described_message(descriptor, network)) == text


@pytest.mark.parametrize("show_as", ShowAs)
def test_psbt_is_read_from_every_dialect(show_as: ShowAs) -> None:
    payload = QrPayload(PayloadKind.PSBT, PAYMENT.psbt.serialize())
    frames: list[str | bytes] = list(islice(frames_of(payload, show_as, 300), 60))
    assert read(frames) == payload


@pytest.mark.parametrize("show_as", [one for one in ShowAs if one is not ShowAs.UR_BYTES])
def test_descriptor_is_read_from_every_dialect(show_as: ShowAs) -> None:
    text = f"{TestVault().descriptor_text}\n".encode()
    frames: list[str | bytes] = list(islice(frames_of(recognise(text), show_as, 300), 60))
    found = read(frames)
    assert (found.kind, found.data.strip()) == (PayloadKind.DESCRIPTOR, text.strip())


def test_content_is_recognised_without_a_declaration() -> None:
    raw = PAYMENT.psbt.serialize()
    transaction = PAYMENT.finalized(0, 1, 2).serialize()
    assert recognise(base64.b64encode(raw)) == recognise(raw.hex().encode()) == QrPayload(PayloadKind.PSBT, raw)
    assert recognise(transaction.hex().encode()) == recognise(transaction)
    assert recognise(transaction).kind is PayloadKind.TRANSACTION
    assert recognise(b'{"a": 1}').kind is PayloadKind.JSON
    assert recognise(b"{not json").kind is PayloadKind.TEXT
    assert recognise(b"[" * 100_000).kind is PayloadKind.TEXT
    assert recognise(b"\xff\x00\xfe").kind is PayloadKind.BINARY
    with pytest.raises(InvalidInput):
        recognise(raw[:-1])


@pytest.mark.parametrize(
    "frames",
    [
        bbqr(b"no psbt", BbqrType.PSBT),
        bbqr(PAYMENT.psbt.serialize(), BbqrType.TRANSACTION),
        bbqr(PAYMENT.psbt.serialize(), BbqrType.TEXT),
        bbqr(PAYMENT.psbt.serialize(), BbqrType.JSON),
        bbqr(b"{", BbqrType.JSON),
        [ur("crypto-psbt", wrap_bytes(b"no psbt"))],
        [ur("psbt", wrap_bytes(PAYMENT.finalized(0, 1, 2).serialize()))],
    ],
)
def test_content_that_contradicts_its_declaration_is_refused(frames: list[str | bytes]) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(frames)
    assert str(caught.value.code) == "QR_MIXED"


@pytest.mark.parametrize(
    "frames",
    [
        bbqr(b"echo", BbqrType.EXECUTABLE),
        [ur("address", cbor_encode({3: b"x" * 20}))],
        [ur("envelope", cbor_encode(1))],
        [ur("crypto-hdkey", cbor_encode(hdkey(f5=Tagged(305, {1: 60}))))],
        [ur("crypto-hdkey", cbor_encode(hdkey(f7=steps((), True))))],
        [ur("crypto-hdkey", cbor_encode(hdkey(f7=steps((0, 5), False))))],
    ],
)
def test_what_is_not_read_is_refused_by_name(frames: list[str | bytes]) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(frames)
    assert str(caught.value.code) == "QR_UNSUPPORTED"


def test_hdkey_becomes_a_key_with_its_origin() -> None:
    text = hdkey_text(hdkey(f5=Tagged(305, {2: 1}), f7=steps((0, False, 1, False), (), False)))
    assert text.startswith("[d34db33f/48h/0h/0h/2h]tpub")
    assert text.endswith("/<0;1>/*")
    assert read([ur("crypto-hdkey", cbor_encode(hdkey()))]).kind is PayloadKind.KEY


@pytest.mark.parametrize(
    "value",
    [
        hdkey(f2=True),
        hdkey(f1=True, f3=b"\0" + bytes(range(32))),
        hdkey(f3=b"\0" + bytes(range(32))),
        hdkey(f3=bytes(range(32))),
        hdkey(f2=1),
    ],
)
def test_private_key_in_any_place_is_a_secret(value: CborValue) -> None:
    tagged = Tagged(303, value)
    multi: CborValue = Tagged(401, Tagged(407, {1: 1, 2: (tagged,)}))
    messages: dict[str, CborValue] = {
        "crypto-hdkey": value,
        "hdkey": value,
        "crypto-output": multi,
        "output-descriptor": {1: "wsh(sortedmulti(1,@0))", 2: (Tagged(40303, value),)},
        "crypto-account": {1: 1, 2: (multi,)},
        "envelope": (tagged,),
    }
    for ur_type, message in messages.items():
        with pytest.raises(SecretRefused):
            read([ur(ur_type, cbor_encode(message))])
    with pytest.raises(SecretRefused):
        read(bbqr(cbor_encode(multi), BbqrType.CBOR))


def test_private_eckey_and_seed_inside_cbor_are_secrets() -> None:
    for value in (Tagged(306, {2: True, 3: b"x" * 32}), Tagged(300, {1: b"x" * 16}), {1: (Tagged(40300, 1),)}):
        with pytest.raises(SecretRefused):
            require_public(value)  # type: ignore[arg-type]
    assert eckey_text({3: KEY}) == KEY.hex()
    require_public({1: (Tagged(306, {3: KEY}), None, "text", True)})


def test_private_text_inside_a_payload_is_a_secret() -> None:
    words = b"abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
    for frames in ([ur("bytes", wrap_bytes(words))], bbqr(words, BbqrType.TEXT), bbqr(words, BbqrType.BINARY), [words]):
        with pytest.raises(SecretRefused) as caught:
            read(frames)  # type: ignore[arg-type]
        assert "abandon" not in caught.value.message


@pytest.mark.parametrize(
    "value",
    [
        {1: "wsh(sortedmulti(1,@0,@1))", 2: (Tagged(40303, hdkey()),)},
        {1: "wsh(sortedmulti(1,@0))", 2: (Tagged(40303, hdkey()), Tagged(40303, hdkey()))},
        {1: "wsh(sortedmulti(1,@0@x))", 2: (Tagged(40303, hdkey()),)},
        {1: "wsh(\x1b[31m@0)", 2: (Tagged(40303, hdkey()),)},
        {1: "wsh(@0)", 2: (Tagged(40303, hdkey()),) * 21},
        {1: "wsh(@0)", 2: (5,)},
        {1: "wsh(@0)", 2: 5},
        {2: ()},
        {1: "raw(00)", 9: 1},
        (),
    ],
)
def test_damaged_output_descriptor_is_refused(value: CborValue) -> None:
    with pytest.raises(InvalidInput):
        output_text("output-descriptor", cbor_encode(value))


@pytest.mark.parametrize(
    "value",
    [
        5,
        Tagged(401, 5),
        Tagged(407, {1: 1}),
        Tagged(407, {1: 1, 2: 5}),
        Tagged(407, {1: True, 2: (Tagged(303, hdkey()),)}),
        Tagged(407, {1: 2, 2: (Tagged(303, hdkey()),)}),
        Tagged(407, {1: 0, 2: (Tagged(303, hdkey()),)}),
        Tagged(407, {1: 1, 2: (Tagged(303, hdkey()),) * 21}),
        Tagged(400, Tagged(400, Tagged(400, Tagged(400, Tagged(400, Tagged(400, Tagged(303, hdkey()))))))),
        Tagged(303, hdkey(f3=None)),
        Tagged(303, hdkey(f4=None)),
        Tagged(303, hdkey(f11=1)),
        Tagged(303, hdkey(f3=b"\x05" * 33)),
        Tagged(303, hdkey(f5=5)),
        Tagged(303, hdkey(f6=5)),
        Tagged(303, hdkey(f6=steps((), False))),
        Tagged(303, hdkey(f6=steps(1))),
        Tagged(303, hdkey(f6=steps(1, 1))),
        Tagged(303, hdkey(f6=steps("x", False))),
        Tagged(303, hdkey(f6=steps(1 << 31, False))),
        Tagged(303, hdkey(f6=Tagged(304, {1: (), 2: 1 << 32}))),
        Tagged(303, hdkey(f6=Tagged(304, {2: 5}))),
        Tagged(303, hdkey(f8=1 << 32)),
        Tagged(303, 5),
    ],
)
def test_damaged_output_is_refused(value: CborValue) -> None:
    with pytest.raises(InvalidInput):
        output_text("crypto-output", cbor_encode(value))


@pytest.mark.parametrize("value", [5, {1: 1}, {2: ()}, {1: 1, 2: ()}, {1: True, 2: (1,)}, {1: 1 << 32, 2: (1,)}])
def test_damaged_account_is_refused(value: CborValue) -> None:
    with pytest.raises(InvalidInput):
        account_of(cbor_encode(value))


def test_published_output_is_the_published_descriptor() -> None:
    text = output_text("crypto-output", bytes.fromhex(OUTPUT)).partition("#")[0]
    assert text == (
        "sh(multi(2,022f01e5e15cca351daff3843fb70f3c2f0a1bdd05e5af888a67784ef3e10a2a01,"
        "03acd484e2f0c7f65309ad178a9f559abde09796974c57e714c35f110dfc27ccbe))"
    )
    assert cbor_encode(cbor_decode(bytes.fromhex(OUTPUT))).hex() == OUTPUT


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b'{"a": [1, 2]}', "json"), (b"\xff\x00\xfe", "binary"), (b"plain words", "text"), ("Größe".encode(), "text")],
)
@pytest.mark.parametrize("show_as", [ShowAs.UR, ShowAs.UR_PSBT, ShowAs.UR_BYTES, ShowAs.BBQR, ShowAs.BBQR_HEX])
def test_other_content_keeps_its_bytes_and_its_kind(data: bytes, kind: str, show_as: ShowAs) -> None:
    found = read(list(islice(frames_of(recognise(data), show_as, 300), 60)))
    assert (str(found.kind), found.data) == (kind, data)


def test_binary_content_has_no_plain_code() -> None:
    with pytest.raises(InvalidInput):
        frames_of(recognise(b"\xff\x00\xfe"), ShowAs.PLAIN, 300)


def test_public_cbor_of_bbqr_is_kept() -> None:
    found = read(bbqr(bytes.fromhex(OUTPUT), BbqrType.CBOR))
    assert (found.kind, found.data.hex()) == (PayloadKind.CBOR, OUTPUT)


def test_uncompressed_key_outside_the_curve_is_refused() -> None:
    for key in (b"\x05" * 33, b"\x04" * 65, b"\x02" * 31, b""):
        with pytest.raises(InvalidInput):
            eckey_text({3: key})
