"""Verdicts of BIP 129's own samples, tokens, key records, descriptor records and the encrypted file of each; BIP 322's.

Accepted means that everything printed beside a row came out of our own code: the encryption key of its token,
HMAC key, MAC, IV and ciphertext, both ways; the signature of a key record; the first address of a descriptor
record by both engines. Not built are raw public keys and unsorted `multi()`, which the decrypted record is then
refused for, and the token as words. Each encrypted file is judged once more with one byte changed.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from custody.bitcoin import kernel
from custody.bitcoin.address import script_of
from custody.bitcoin.bip322 import MessageVerdict, message_hash, to_sign, to_spend, verify_message
from custody.bitcoin.bip322_decode import decode
from custody.bitcoin.bip322_model import Ruling
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CustodyError
from custody.vault.bsms_cipher import encryption_key, record_mac, seal, unseal
from custody.vault.bsms_key_record import read_key_record
from custody.vault.bsms_token import Token
from custody.vault.formats import bsms
from support.vector_verdicts_keys import ACCEPTED, INVALID, UNSUPPORTED, WRONG, Verdicts
from support.vectors import load_vectors


def bip129() -> Verdicts:
    """Return the verdicts of all four modes."""
    outcomes: list[str] = []
    for case in load_vectors("bip129_bsms.json")["cases"]:
        outcomes += _tokens(case["items"])
        outcomes += _records(case["items"])
    return {name: outcomes.count(name) for name in (ACCEPTED, UNSUPPORTED, INVALID, WRONG)}


def _tokens(items: list[dict[str, Any]]) -> Iterator[str]:
    token = b""
    for item in items:
        field, value = item.get("field", ""), item.get("value", "")
        if field.startswith("TOKEN") and field.endswith("(hex)"):
            token = bytes.fromhex(value)
        elif field == "TOKEN (decimal)":
            yield ACCEPTED if Token.from_text(value).value == token else WRONG
        elif field == "TOKEN (mnemonic)":
            yield _refusal(lambda value=value: Token.from_text(value), Code.BSMS_TOKEN_INVALID, UNSUPPORTED)
        elif field.startswith("ENCRYPTION_KEY") and encryption_key(Token(token)).hex() != value:
            yield WRONG


def _records(items: list[dict[str, Any]]) -> Iterator[str]:
    plain: dict[str, tuple[Token, str]] = {}
    wallet = ""
    for item in items:
        name = item.get("file", "").partition(".")[0]
        if "text" in item and name.startswith("signer"):
            token = Token.from_text(item["text"].split("\n")[1])
            plain[name] = (token, item["text"])
            yield _key_record(token, item["text"])
        elif "text" in item:
            wallet = item["text"]
            yield _descriptor_record(wallet)
        elif "hex" in item:
            number = name.rpartition("_")[2] if name[-1].isdigit() else "1"
            token = plain[name if name in plain else f"signer_{number}_key"][0]
            text = plain[name][1] if name in plain else wallet
            figures = {one["field"]: one["value"] for one in items if _belongs(one, item)}
            yield _encrypted(token, text, item["hex"], figures)
            yield _changed(token, item["hex"])


def _belongs(figure: dict[str, Any], file: dict[str, Any]) -> bool:
    return "field" in figure and (figure["round"], figure["party"]) == (file["round"], file["party"])


def _key_record(token: Token, text: str) -> str:
    if "]xpub" not in text:
        return _refusal(lambda: _read_key(token, text), Code.DESCRIPTOR_UNSUPPORTED, UNSUPPORTED)
    return ACCEPTED if _read_key(token, text) == text else WRONG


def _read_key(token: Token, text: str) -> str:
    return read_key_record(text.encode(), token=token, network=Network.MAIN).to_text()


def _descriptor_record(text: str) -> str:
    def read() -> object:
        return bsms.parse(text.encode(), Network.MAIN)

    if "]xpub" not in text or "(multi(" in text:
        return _refusal(read, Code.DESCRIPTOR_UNSUPPORTED, UNSUPPORTED)
    read()
    return ACCEPTED


def _encrypted(token: Token, text: str, sealed: str, figures: dict[str, str]) -> str:
    mac = record_mac(token, text.encode()).hex()
    ours = {
        "HMAC_KEY (hex)": hashlib.sha256(encryption_key(token)).hexdigest(),
        "MAC (hex)": mac,
        "IV (hex)": mac[:32],
        "CIPHERTEXT (hex)": sealed[64:],
    }
    if {**ours, **figures} != ours or sealed != seal(token, text.encode()).decode():
        return WRONG
    if unseal(token, sealed.encode()).decode() != text:
        return WRONG
    return _key_record(token, text) if text.startswith(f"BSMS 1.0\n{token.hex}") else _descriptor_record(text)


def _changed(token: Token, sealed: str) -> str:
    raw = bytearray(bytes.fromhex(sealed))
    raw[len(raw) // 2] ^= 1
    return _refusal(lambda: unseal(token, raw.hex().encode()), Code.BSMS_MAC, INVALID)


def _refusal(call: Any, code: Code, right: str) -> str:
    try:
        call()
    except CustodyError as refused:
        return right if refused.code is code else WRONG
    return WRONG


def bip322() -> Verdicts:
    """Return the verdicts of BIP 322's samples in all three forms; the coins of a proof of funds are as it says."""
    vectors = load_vectors("bip322_message_signing.json")
    if not kernel.is_available():
        pytest.skip("libbitcoinkernel is missing on this Python: taproot and time locks are inconclusive")
    outcomes = [_transactions(row) for row in vectors["basic"]["tx_hashes"]]
    forms = [row for part in vectors.values() if isinstance(part, dict) for form in FORMS for row in part.get(form, ())]
    for row in forms:
        verdicts = [_verdict(row, signature) for signature in row["bip322_signatures"]]
        outcomes += [ACCEPTED if verdict is MessageVerdict.VALID else WRONG for verdict in verdicts]
    for row in (*vectors["basic"]["error"], *vectors["generated"]["error"]):
        outcomes.append(INVALID if _verdict(row, row["signature"]) is MessageVerdict.INVALID else WRONG)
    return {name: outcomes.count(name) for name in (ACCEPTED, UNSUPPORTED, INVALID, WRONG)}


FORMS = ("simple", "full", "proof_of_funds")


def _transactions(row: dict[str, Any]) -> str:
    message, script = row["message"].encode(), script_of(row["address"], Network.MAIN)
    ours = (message_hash(message).hex(), to_spend(message, script).txid, to_sign(message, script).txid)
    return ACCEPTED if ours == (row["message_hash"], row["to_spend_tx_hash"], row["to_sign_tx_hash"]) else WRONG


def _verdict(row: dict[str, Any], signature: str) -> MessageVerdict:
    message, script = row["message"].encode(), script_of(row["address"], Network.MAIN)
    decoded = decode(message, script, signature)
    claimed = {} if isinstance(decoded, Ruling) else decoded.claimed
    return verify_message(message, script, signature, outputs=claimed).verdict


CHECKS = {"bip129_bsms.json": bip129, "bip322_message_signing.json": bip322}
