"""A84: signed messages that a careless verifier takes for proofs. The texts come out of the real command line."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from custody.bitcoin import kernel
from custody.bitcoin.address import script_of
from custody.bitcoin.amount import Sats
from custody.bitcoin.bip322 import MessageVerdict, verify_message
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.hashing import hash160, sha256
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.script import p2wsh_script
from custody.bitcoin.transaction import TxOutput, serialize_witness
from custody.vault.vault import Vault
from support.cli import run
from support.proofs import MESSAGE, outputs_of, proof_of, signed_by, two_coins
from support.review_cases import simulated_vault, write_files

VAULT = simulated_vault()
SCRIPT = VAULT.deriver.at(0, 3).script_pubkey


def text_of(folder: Path, kind: str, vault: Vault = VAULT) -> str:
    """Sign a proof with two devices, combine the files, finalize: all by the commands that people use."""
    proof = proof_of(kind, vault)
    files = [write_files(folder, proof, vault)]
    for number in (1, 3):
        signed = folder / f"signed-{number}.psbt"
        signed.write_bytes(signed_by(vault, proof, number).serialize())
        files.append((signed, files[0][1]))
    combined, text = folder / "combined.psbt", folder / "proof.txt"
    for old in (combined, text):
        old.unlink(missing_ok=True)
    vault_file = ["--vault-file", files[0][1]]
    made = run(["psbt", "combine", *(file for file, _ in files), *vault_file, "-o", combined])
    assert made.exit_code == 0, made.stderr
    finished = run(["psbt", "finalize", combined, *vault_file, "-o", text])
    assert finished.exit_code == 0, finished.stderr
    return text.read_text().strip()


def test_a84_a_proof_is_one_of_the_claimed_address_alone(tmp_path: Path) -> None:
    text = text_of(tmp_path, "one address")
    assert text.startswith("smp")
    assert verify_message(MESSAGE, SCRIPT, text, outputs={}).is_valid
    assert verify_message(MESSAGE, SCRIPT, text.removeprefix("smp"), outputs={}).is_valid
    thief = simulated_vault(2, 3, ScriptType.SH_WSH_SORTEDMULTI)
    for claimed in (VAULT.deriver.at(0, 4).script_pubkey, thief.deriver.at(0, 3).script_pubkey, b"\x51"):
        result = verify_message(MESSAGE, claimed, text, outputs={})
        assert result.verdict is MessageVerdict.INVALID
    assert verify_message(MESSAGE[:-1], SCRIPT, text, outputs={}).verdict is MessageVerdict.INVALID


def test_a84_a_key_that_only_the_witness_names_proves_nothing(tmp_path: Path) -> None:
    """The thief's own good signature, moved to the address of a victim."""
    thief = simulated_vault(2, 5)
    text = text_of(tmp_path, "one address", thief)
    own = thief.deriver.at(0, 3).script_pubkey
    assert verify_message(MESSAGE, own, text, outputs={}).is_valid
    assert verify_message(MESSAGE, SCRIPT, text, outputs={}).verdict is MessageVerdict.INVALID
    key_script = b"\x00\x14" + hash160(thief.deriver.at(0, 3).public_keys[0])
    assert verify_message(MESSAGE, key_script, text, outputs={}).verdict is MessageVerdict.INVALID


@pytest.mark.parametrize(("old", "new"), [("smp", "ful"), ("smp", "pof"), ("pof", "smp"), ("pof", "ful")])
def test_a84_a_prefix_is_never_ignored(old: str, new: str, tmp_path: Path) -> None:
    text = text_of(tmp_path, "one address" if old == "smp" else "funds")
    coins = outputs_of(VAULT, two_coins(VAULT))
    assert text.startswith(old)
    assert verify_message(MESSAGE, SCRIPT, text, outputs=coins).is_valid
    assert not verify_message(MESSAGE, SCRIPT, new + text.removeprefix(old), outputs=coins).is_valid
    assert not verify_message(MESSAGE, SCRIPT, old + text, outputs=coins).is_valid


def test_a84_amounts_of_a_proof_of_funds_are_claims_until_a_node_says_them(tmp_path: Path) -> None:
    text = text_of(tmp_path, "funds")
    coins = outputs_of(VAULT, two_coins(VAULT))
    assert verify_message(MESSAGE, SCRIPT, text, outputs=coins).is_valid
    for missing in coins:
        known = {one: output for one, output in coins.items() if one != missing}
        result = verify_message(MESSAGE, SCRIPT, text, outputs=known)
        assert (result.verdict, result.is_valid) == (MessageVerdict.INCONCLUSIVE, False)
    published = Psbt.parse(base64.b64decode(text.removeprefix("pof")))
    spent = published.inputs[1].witness_utxo
    assert spent is not None
    richer = TxOutput(Sats(spent.value * 100), spent.script_pubkey)
    forged = published.with_input(
        1,
        published.inputs[1].__class__(
            published.inputs[1].outpoint,
            published.inputs[1].stated_sequence,
            witness_utxo=richer,
            final_script_witness=published.inputs[1].final_script_witness,
        ),
    )
    result = verify_message(MESSAGE, SCRIPT, "pof" + forged.to_base64(), outputs=coins)
    assert result.verdict is MessageVerdict.INVALID
    alone = verify_message(MESSAGE, SCRIPT, "pof" + forged.to_base64(), outputs={})
    assert alone.verdict is MessageVerdict.INVALID


CHANGES: list[Callable[[list[bytes]], list[bytes]]] = [
    lambda items: [b"\x01", *items[1:]],
    lambda items: [*items[:1], *items[2:]],
    lambda items: [*items[:1], b"", *items[2:]],
    lambda items: [*items[:1], items[2], items[1], *items[3:]],
    lambda items: [b"", *items],
    lambda items: [*items[:1], items[1] + b"\x01", *items[2:]],
    lambda items: [*items[:1], items[1][:-1] + b"\x00", *items[2:]],
    lambda items: [*items[:-1], items[-1] + b"\x61"],
    lambda items: items[:-1],
    lambda items: [],
]


@pytest.mark.parametrize("change", CHANGES)
def test_a84_a_witness_of_another_shape_is_invalid(
    change: Callable[[list[bytes]], list[bytes]], tmp_path: Path
) -> None:
    text = text_of(tmp_path, "one address")
    proof = signed_by(VAULT, proof_of("one address", VAULT), 1, 3)
    by_key = {entry.public_key: entry.signature for entry in proof.inputs[0].partial_signatures}
    script = VAULT.deriver.at(0, 3)
    items = [b"", *(by_key[key] for key in script.public_keys if key in by_key), script.witness_script]
    assert text == "smp" + base64.b64encode(serialize_witness(tuple(items))).decode()
    changed = "smp" + base64.b64encode(serialize_witness(tuple(change(items)))).decode()
    assert verify_message(MESSAGE, SCRIPT, changed, outputs={}).verdict is MessageVerdict.INVALID


@pytest.mark.parametrize(
    "script",
    [
        bytes.fromhex("51"),  # anybody may spend it
        bytes.fromhex("7551"),  # drop what is given, then true
        bytes.fromhex("6151"),  # an opcode that does nothing
        bytes.fromhex("b051"),  # one that is reserved for upgrades
    ],
)
def test_a84_what_cannot_be_judged_is_inconclusive_and_never_valid(script: bytes, tmp_path: Path) -> None:
    assert text_of(tmp_path, "one address").startswith("smp")
    witness = (script,) if script[0] != 0x75 else (bytes(7), script)
    text = "smp" + base64.b64encode(serialize_witness(witness)).decode()
    result = verify_message(MESSAGE, p2wsh_script(script), text, outputs={})
    expected = MessageVerdict.INCONCLUSIVE
    if script == b"\x51" and kernel.is_available():
        expected = MessageVerdict.VALID  # the address is anybody's: that is what it proves, and all
    assert result.verdict is expected, result.reason


def test_a84_versions_reserved_for_upgrades_are_inconclusive(tmp_path: Path) -> None:
    text = text_of(tmp_path, "one address")
    for claimed in (b"\x52\x20" + sha256(b"later"), bytes.fromhex("51024e73")):
        result = verify_message(MESSAGE, claimed, text, outputs={})
        assert result.verdict is MessageVerdict.INCONCLUSIVE
    legacy = base64.b64encode(b"\x1f" + bytes(64)).decode()
    key_hash = script_of("13vU5PUSuArDXJdCWZvUFEbgJ2wcmtSJWn", VAULT.network.MAIN)
    assert verify_message(MESSAGE, key_hash, legacy, outputs={}).verdict is MessageVerdict.INCONCLUSIVE
