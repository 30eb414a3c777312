"""Every published vector of BBQr and of uniform resources, with the verdict that each must have."""

import base64
from typing import Any

import pytest

from custody.bitcoin.qr_payload import payload_of
from custody.documents.qr.bytewords import bytewords_encode
from custody.documents.qr.cbor import cbor_decode, cbor_encode
from custody.documents.qr.fountain import Xoshiro256, fountain_parts
from custody.documents.qr.joiner import Joiner, Transfer
from custody.documents.qr.ur import wrap_bytes
from custody.errors import CustodyError, InvalidInput
from support.vectors import load_vectors

SECRET_TYPES = ("seed", "crypto-seed", "crypto-bip39", "eckey", "crypto-eckey")
BBQR_REFUSALS = {
    "missing frame": "QR_INCOMPLETE",
    "frames of two different payloads mixed": "QR_MIXED",
    "same index, different content": "QR_MIXED",
    "header total differs between frames": "QR_MIXED",
    "index >= total": "QR_MALFORMED",
    "unknown encoding letter": "QR_UNSUPPORTED",
    "unknown file type treated as PSBT": "QR_UNSUPPORTED",
    "bad base32 character": "QR_MALFORMED",
    "lower-case payload": "QR_MALFORMED",
    "wrong magic": "QR_MIXED",
    "zlib bomb: 2,000,000 zero bytes in 1954 (limit decompressed size)": "QR_TOO_LARGE",
}


def join(frames: list[str]) -> Transfer:
    joiner = Joiner()
    for frame in frames:
        joiner.add(frame)
    return joiner.transfer()


def wolf(length: int) -> bytes:
    """Return the message of the published fountain vectors."""
    random = Xoshiro256(b"Wolf")
    return bytes(random.below(256) for _ in range(length))


def lists() -> dict[str, list[str]]:
    return {one["test"]: one["values"] for one in load_vectors("bcur_multipart.json")["lists"]}


def test_bbqr_frames_join_to_the_published_payloads() -> None:
    vectors = load_vectors("bbqr.json")["vectors"]
    for vector in vectors:
        transfer = join(vector["frames"])
        assert transfer.payload == base64.b64decode(vector["decoded_base64"]), vector["name"]
        assert transfer.declared == vector["file_type"], vector["name"]
    assert len(vectors) == 25


def test_bbqr_frames_that_must_be_refused_are() -> None:
    refused = {}
    for vector in load_vectors("bbqr.json")["must_refuse"]:
        with pytest.raises(CustodyError) as caught:
            join(vector["frames"])
        refused[vector["name"]] = str(caught.value.code)
    assert refused == BBQR_REFUSALS


@pytest.mark.parametrize("group", ["papers", "hummingbird"])
def test_single_urs_decode_to_the_published_cbor(group: str) -> None:
    for vector in load_vectors("bcur.json")[group]:
        for ur, cbor in _published(vector):
            if ur.lower().removeprefix("ur:").partition("/")[0] in SECRET_TYPES:
                with pytest.raises(InvalidInput, match="a seed"):
                    join([ur])
            elif cbor is not None:
                assert join([ur]).payload.hex() == cbor
                assert cbor_encode(cbor_decode(bytes.fromhex(cbor))).hex() == cbor


def _published(vector: dict[str, Any]) -> list[tuple[str, str | None]]:
    if "ur" in vector:
        return [(vector["ur"], vector.get("cbor_hex"))]
    return list(zip(vector["urs"], vector["decoded_cbor_hex"], strict=True))


def test_one_flipped_letter_is_refused() -> None:
    for vector in load_vectors("bcur.json")["papers"]:
        ur = vector["ur"]
        if vector["type"] in SECRET_TYPES:
            continue
        for place in range(len(ur) - 20, len(ur)):
            flipped = ur[:place] + ("a" if ur[place] != "a" else "o") + ur[place + 1 :]
            with pytest.raises(InvalidInput):
                join([flipped])


def test_multipart_urs_of_hummingbird_join() -> None:
    joined, old = 0, 0
    for vector in load_vectors("bcur.json")["hummingbird"]:
        if vector["test"] == "testEncode" and vector["file"] == "URTest.java":
            assert join(vector["urs"]).payload == wrap_bytes(wolf(256))
            joined += 1
        elif "Legacy" in vector["test"] or vector["test"] == "testDecodeShortUR1":
            with pytest.raises(InvalidInput, match="version 1"):
                join(vector["urs"])
            old += 1
    assert (joined, old) == (1, 6)


def test_repeated_part_of_hummingbird_tells_nothing_new() -> None:
    vector = next(v for v in load_vectors("bcur.json")["hummingbird"] if v["test"] == "testDuplicateDecode")
    joiner = Joiner()
    seen = [joiner.add(ur).known for ur in vector["urs"] + vector["urs"]]
    assert seen[-1] == len(set(vector["urs"]))
    with pytest.raises(CustodyError, match="are missing"):
        joiner.transfer()


def test_fountain_draws_as_the_reference_does() -> None:
    published = lists()
    parts = [part for _, part in zip(range(20), fountain_parts(wolf(256), 30), strict=False)]
    assert [part.to_cbor().hex() for part in parts] == published["test_fountain_encoder_cbor"]
    told = [
        f"seqNum:{one.seq_num}, seqLen:{one.seq_len}, messageLen:{one.message_len}, "
        f"checksum:{one.checksum}, data:{one.data.hex()}"
        for one in parts
    ]
    assert told == published["test_fountain_encoder"]


def test_ur_parts_are_the_published_ones() -> None:
    parts = [part for _, part in zip(range(20), fountain_parts(wrap_bytes(wolf(256)), 30), strict=False)]
    urs = [f"ur:bytes/{one.seq_num}-{one.seq_len}/{bytewords_encode(one.to_cbor())}" for one in parts]
    assert urs == lists()["test_ur_encoder"]


def test_fragments_are_the_published_ones() -> None:
    published = lists()["test_partition_and_join"]
    parts = [part for _, part in zip(published, fountain_parts(wolf(1024), 100), strict=False)]
    assert [part.data.hex() for part in parts] == published


def test_mixtures_alone_join_without_the_first_round() -> None:
    published = lists()["test_ur_encoder"]
    assert join(published[9:] + published[:5]).payload == wrap_bytes(wolf(256))


WRITTEN_OTHERWISE = {
    "xpub6ERApfZwUNrh": "depth 4 below an origin of three steps: a UR can't say which child it is",
    "xpub69H7F5d8KSRg": "the paper leaves the origin out that its CBOR has",
}


def test_outputs_and_accounts_are_the_published_descriptors() -> None:
    counted = {"equal": 0, "otherwise": 0, "private": 0}
    for vector in load_vectors("bcur.json")["papers"]:
        if "cbor_hex" not in vector or vector["type"] in SECRET_TYPES or vector["type"] == "address":
            continue
        joiner = Joiner()
        joiner.add(vector["ur"])
        if vector["section"] == "Example/Test Vector 1" and vector["type"] == "hdkey":
            with pytest.raises(InvalidInput, match="private"):
                payload_of(joiner.transfer())
            counted["private"] += 1
            continue
        text = payload_of(joiner.transfer()).data
        published = vector.get("descriptor", "").replace("'", "h")
        if any(key in published for key in WRITTEN_OTHERWISE):
            counted["otherwise"] += 1
        elif published:
            assert text.decode().partition("#")[0].strip() == published
            counted["equal"] += 1
    assert counted == {"equal": 5, "otherwise": 2, "private": 1}


def test_every_public_ur_of_hummingbird_is_read() -> None:
    kinds: dict[str, int] = {}
    for vector in load_vectors("bcur.json")["hummingbird"]:
        for ur, cbor in _published(vector):
            if cbor is None:
                continue
            try:
                joiner = Joiner()
                joiner.add(ur)
                kind = str(payload_of(joiner.transfer()).kind)
            except InvalidInput as error:
                kind = str(error.code)
            kinds[kind] = kinds.get(kind, 0) + 1
    assert kinds == {
        "account": 7,
        "binary": 2,
        "descriptor": 5,
        "key": 8,
        "psbt": 2,
        "QR_UNSUPPORTED": 2,
        "SECRET_MATERIAL": 7,
    }
