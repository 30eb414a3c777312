"""Verdicts of the published QR vectors: BBQr, uniform resources, the fountain.

A row is a payload, whatever number of frames it has. Accepted means: the published bytes came out, or, of what
must be refused, nothing. Private keys, seeds, addresses and UR version 1 are valid and refused by name.
"""

import base64
from collections.abc import Callable
from itertools import islice
from typing import Any

from custody.bitcoin.encoding import base58check_decode
from custody.bitcoin.qr_payload import payload_of
from custody.codes import Code
from custody.documents.qr.bytewords import bytewords_encode
from custody.documents.qr.fountain import Xoshiro256, fountain_parts
from custody.documents.qr.joiner import Joiner
from custody.documents.qr.ur import wrap_bytes
from custody.errors import CustodyError, NotYet
from support.vector_verdicts_keys import ACCEPTED, INVALID, UNSUPPORTED, WRONG, Verdicts
from support.vectors import load_vectors

_BY_NAME = frozenset((Code.QR_UNSUPPORTED, Code.SECRET_MATERIAL))


def _count(outcomes: list[str]) -> Verdicts:
    return {name: outcomes.count(name) for name in (ACCEPTED, UNSUPPORTED, INVALID, WRONG)}


def _join(frames: list[str]) -> Joiner:
    joiner = Joiner()
    for frame in frames:
        joiner.add(frame)
    return joiner


def bbqr() -> Verdicts:
    """Judge every payload of BBQr, and every row that must be refused."""
    vectors = load_vectors("bbqr.json")
    outcomes = [
        ACCEPTED if _join(row["frames"]).transfer().payload == base64.b64decode(row["decoded_base64"]) else WRONG
        for row in vectors["vectors"]
    ]
    return _count(outcomes + [_refused(row["frames"]) for row in vectors["must_refuse"]])


def _refused(frames: list[str]) -> str:
    try:
        payload_of(_join(frames).transfer())
    except CustodyError:
        return INVALID
    return WRONG


def bcur() -> Verdicts:
    """Judge every UR of the papers and of hummingbird."""
    vectors = load_vectors("bcur.json")
    rows = [([row["ur"]], [row.get("cbor_hex")], row.get("descriptor")) for row in vectors["papers"]]
    rows += [(row["urs"], row["decoded_cbor_hex"], None) for row in vectors["hummingbird"]]
    return _count([_judge(*row) for row in rows])


def _judge(urs: list[str], cbor: list[str | None], descriptor: str | None) -> str:
    try:
        if len(urs) > 1:
            return _judge_parts(urs)
        transfer = _join(urs).transfer()
        text = payload_of(transfer).data
    except NotYet:
        return WRONG
    except CustodyError as refused:
        return UNSUPPORTED if refused.code in _BY_NAME else WRONG
    if transfer.payload.hex() != cbor[0]:
        return WRONG
    return ACCEPTED if descriptor is None or _keys(text.decode()) == _keys(descriptor) else WRONG


def _judge_parts(urs: list[str]) -> str:
    joiner = _join(urs)
    if joiner.progress.is_complete:
        return ACCEPTED if joiner.transfer().payload == wrap_bytes(_wolf(256)) else WRONG
    return ACCEPTED if joiner.progress.known == len(set(urs)) else WRONG


def _keys(text: str) -> list[str]:
    """Return the words of descriptors without origins, checksums and what an xpub says of its place in the tree."""
    plain = text.replace("'", "h")
    lines = [line.partition("#")[0] for line in plain.split()]
    keys = [key.rpartition("]")[2] for line in lines for key in line.replace("(", ",").replace(")", ",").split(",")]
    return [_key_material(key) for key in keys if key]


def _key_material(key: str) -> str:
    head, slash, steps = key.partition("/")
    return base58check_decode(head)[13:].hex() + slash + steps if head.startswith("xpub") else key


def _wolf(length: int) -> bytes:
    drawn = Xoshiro256(b"Wolf")
    return bytes(drawn.below(256) for _ in range(length))


def multipart() -> Verdicts:
    """Judge the lists of the fountain's reference tests, each as a whole."""
    lists = {row["test"]: row["values"] for row in load_vectors("bcur_multipart.json")["lists"]}
    fragments = [part.data.hex() for part in islice(fountain_parts(_wolf(1024), 100), 11)]
    parts = list(islice(fountain_parts(_wolf(256), 30), 20))
    wrapped = list(islice(fountain_parts(wrap_bytes(_wolf(256)), 30), 20))
    told: dict[str, Any] = {
        "test_partition_and_join": fragments,
        "test_fountain_encoder": [
            f"seqNum:{one.seq_num}, seqLen:{one.seq_len}, messageLen:{one.message_len}, "
            f"checksum:{one.checksum}, data:{one.data.hex()}"
            for one in parts
        ],
        "test_fountain_encoder_cbor": [one.to_cbor().hex() for one in parts],
        "test_ur_encoder": [
            f"ur:bytes/{one.seq_num}-{one.seq_len}/{bytewords_encode(one.to_cbor())}" for one in wrapped
        ],
    }
    return _count([ACCEPTED if told.get(name) == values else WRONG for name, values in lists.items()])


CHECKS: dict[str, Callable[[], Verdicts]] = {
    "bbqr.json": bbqr,
    "bcur.json": bcur,
    "bcur_multipart.json": multipart,
}
