"""BIP 322's published figures: every good signature verifies, none of the 36 bad ones does, in three forms."""

import json
from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin import kernel
from custody.bitcoin.address import script_of
from custody.bitcoin.amount import Sats
from custody.bitcoin.bip322 import MessageResult, MessageVerdict, message_hash, to_sign, to_spend, verify_message
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import psbt_from_text_or_bytes
from custody.bitcoin.transaction import OutPoint, TxOutput
from support.vectors import load_vectors

FIGURES: dict[str, Any] = json.loads((Path(__file__).parent / "bip322_figures.json").read_text())
NEEDS_INTERPRETER = ("p2tr", "p2tr-time-lock", "p2wsh-time-lock")
"""What our own engine doesn't judge alone."""


def judged(row: dict[str, Any], outputs: dict[OutPoint, TxOutput] | None = None) -> MessageResult:
    script = script_of(row["address"], Network.MAIN)
    return verify_message(row["message"].encode(), script, row["signature"], outputs=outputs or {})


def coins_of(row: dict[str, Any]) -> dict[OutPoint, TxOutput]:
    """Return what a node would say of the coins: the figures' amounts and scripts, at the PSBT's outpoints."""
    psbt = psbt_from_text_or_bytes(row["signature"][3:].encode())
    outputs = [TxOutput(Sats(coin["value"]), bytes.fromhex(coin["script_pubkey"])) for coin in row["coins"]]
    return dict(zip([one.outpoint for one in psbt.inputs[1:]], outputs, strict=True))


def test_the_figures_are_the_published_ones() -> None:
    published = load_vectors("bip322_message_signing.json")
    signatures = [
        signature
        for part in ("basic", "generated")
        for form in ("simple", "full", "proof_of_funds")
        for row in published[part].get(form, ())
        for signature in row["bip322_signatures"]
    ]
    errors = [row["signature"] for part in ("basic", "generated") for row in published[part]["error"]]
    assert [row["signature"] for row in FIGURES["good"]] == signatures
    assert [row["signature"] for row in FIGURES["bad"]] == errors
    assert (len(signatures), len(errors)) == (23, 36)


def test_hashes_and_virtual_transactions() -> None:
    for row in FIGURES["tx_hashes"]:
        message, script = row["message"].encode(), script_of(row["address"], Network.MAIN)
        assert message_hash(message).hex() == row["message_hash"]
        assert to_spend(message, script).txid == row["to_spend_tx_hash"]
        assert to_sign(message, script).txid == row["to_sign_tx_hash"]


@pytest.mark.parametrize("row", FIGURES["good"], ids=lambda row: f"{row['form']}-{row['type']}-{row['message'][:6]}")
def test_a_good_signature_verifies_with_its_lock_time_and_age(row: dict[str, Any]) -> None:
    coins = coins_of(row) if "coins" in row else {}
    result = judged(row, coins)
    if row["type"] in NEEDS_INTERPRETER and not kernel.is_available():
        assert result.verdict is MessageVerdict.INCONCLUSIVE
        assert "libbitcoinkernel" in result.reason
        return
    assert (result.verdict, result.funds) == (MessageVerdict.VALID, tuple(coins)), result.reason
    assert (result.lock_time, result.sequence) == (row["lock_time"], row["sequence"])
    assert str(row["lock_time"] or "valid") in result.reason
    assert not judged({**row, "message": row["message"] + "."}, coins).is_valid


@pytest.mark.parametrize("row", FIGURES["bad"], ids=lambda row: row["description"])
def test_a_bad_signature_is_not_valid(row: dict[str, Any]) -> None:
    result = judged(row)
    if "p2tr" in row["description"] and "simple" in row["description"] and not kernel.is_available():
        assert result.verdict is MessageVerdict.INCONCLUSIVE
    else:
        assert result.verdict is MessageVerdict.INVALID


@pytest.mark.parametrize("row", [row for row in FIGURES["good"] if "coins" in row], ids=lambda row: row["type"])
def test_coins_are_only_proven_as_far_as_the_verifiers_own_node_speaks_of_them(row: dict[str, Any]) -> None:
    if row["type"] in NEEDS_INTERPRETER and not kernel.is_available():
        pytest.skip("libbitcoinkernel is missing on this Python: taproot is inconclusive anyway")
    coins = coins_of(row)
    assert judged(row).verdict is MessageVerdict.INCONCLUSIVE
    first = next(iter(coins))
    richer = {**coins, first: TxOutput(Sats(coins[first].value + 1), coins[first].script_pubkey)}
    assert judged(row, richer).verdict is MessageVerdict.INVALID
    assert judged(row, {first: coins[first]}).verdict is MessageVerdict.INCONCLUSIVE
