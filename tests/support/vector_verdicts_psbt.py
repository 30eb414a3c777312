"""Verdicts of the published vectors on PSBTs, one function per file.

Each returns how many were accepted (and written back to the byte, 0 → 2 → 0 included),
refused as valid but not built, refused as invalid, and how many got a wrong verdict.
Invalid ones count as refused when the reader refuses them, or when the file contradicts
itself about the coins it spends, which the Signer's checks find (two rows of Core's file).
`CHECKS` lists the functions for the command that prints all counts.
"""

import base64
from collections.abc import Callable
from typing import Any

from custody.bitcoin.psbt import Psbt, psbt_from_text_or_bytes
from custody.bitcoin.psbt_checks import inspect_inputs
from custody.bitcoin.psbt_version import to_version
from custody.codes import Code
from custody.errors import CustodyError, InvalidInput
from support.vectors import load_vectors

Verdicts = dict[str, int]
ACCEPTED, UNSUPPORTED, INVALID, WRONG = "accepted", "refused_unsupported", "refused_invalid", "wrong"

NOT_BUILT = {Code.UNSUPPORTED_PSBT_FIELD, Code.UNSUPPORTED_PSBT_VERSION}
CONTRADICTIONS = {Code.PREVTX_TXID_MISMATCH, Code.PREVOUT_INDEX_OUT_OF_RANGE, Code.UTXO_MISMATCH}


def bip174() -> Verdicts:
    """BIP 174: version 0. What a signer must refuse has to parse and then fail the checks."""
    vectors = load_vectors("bip174.json")
    outcomes = [*_valid(vectors["valid"]), *_invalid(vectors["invalid"])]
    return _count(outcomes + [_signer_must_fail(_text(row)) for row in vectors["signer_must_fail"]])


def bip370() -> Verdicts:
    """BIP 370: version 2, with the locktimes that its rows determine."""
    vectors = load_vectors("bip370_psbtv2.json")
    outcomes = [*_valid(vectors["valid"]), *_invalid(vectors["invalid"])]
    return _count(outcomes + [_locktime(row) for row in vectors["locktime"]])


def bip371() -> Verdicts:
    """BIP 371: taproot, not built; every row is refused."""
    return _valid_and_invalid("bip371_taproot_psbt.json")


def bip373() -> Verdicts:
    """BIP 373: MuSig2, not built; every row is refused."""
    return _valid_and_invalid("bip373_musig2_psbt.json")


def core_rpc() -> Verdicts:
    """Bitcoin Core's own list, both versions, taproot and MuSig2 among it."""
    vectors = load_vectors("core_rpc_psbt.json")
    invalid = [*vectors["invalid"], *vectors["invalid_with_msg"]]
    return _count([*_valid(vectors["valid"]), *_invalid(invalid)])


CHECKS: dict[str, Callable[[], Verdicts]] = {
    "bip174.json": bip174,
    "bip370_psbtv2.json": bip370,
    "bip371_taproot_psbt.json": bip371,
    "bip373_musig2_psbt.json": bip373,
    "core_rpc_psbt.json": core_rpc,
}


def _count(outcomes: list[str]) -> Verdicts:
    return {name: outcomes.count(name) for name in (ACCEPTED, UNSUPPORTED, INVALID, WRONG)}


def _valid_and_invalid(name: str) -> Verdicts:
    vectors = load_vectors(name)
    return _count([*_valid(vectors["valid"]), *_invalid(vectors["invalid"])])


def _text(row: Any) -> bytes:
    text: str = row if isinstance(row, str) else row.get("base64") or row["psbt"]
    return text.encode()


def _valid(rows: list[Any]) -> list[str]:
    return [_judge_valid(_text(row)) for row in rows]


def _judge_valid(text: bytes) -> str:
    try:
        psbt = psbt_from_text_or_bytes(text)
    except InvalidInput as refused:
        return UNSUPPORTED if refused.code in NOT_BUILT else WRONG
    return ACCEPTED if _comes_back(psbt, base64.b64decode(text)) else WRONG


def _comes_back(psbt: Psbt, raw: bytes) -> bool:
    if psbt.serialize() != raw:
        return False
    if psbt.version == 2:
        return True
    there = Psbt.parse(to_version(psbt, 2).serialize())
    return to_version(there, 0).serialize() == raw


def _invalid(rows: list[Any]) -> list[str]:
    return [_judge_invalid(_text(row)) for row in rows]


def _judge_invalid(text: bytes) -> str:
    try:
        psbt = psbt_from_text_or_bytes(text)
    except CustodyError as refused:
        return UNSUPPORTED if refused.code in NOT_BUILT else INVALID
    found = {finding.code for finding in inspect_inputs(psbt)}
    return INVALID if found & CONTRADICTIONS else WRONG


def _signer_must_fail(text: bytes) -> str:
    return INVALID if inspect_inputs(psbt_from_text_or_bytes(text)) else WRONG


def _locktime(row: dict[str, Any]) -> str:
    expected = str(row["expected_locktime"])
    try:
        found = str(psbt_from_text_or_bytes(_text(row)).locktime)
    except InvalidInput as refused:
        return INVALID if refused.code is Code.LOCKTIME_CONFLICT and expected == "INVALID" else WRONG
    return ACCEPTED if found == expected else WRONG
