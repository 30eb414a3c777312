"""Payments for review tests: a sound one, ways to bend it, signatures by public test seeds, and the command itself."""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from embit import bip32, ec

from custody.bitcoin.amount import Sats
from custody.bitcoin.derivation import DerivedScript
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.hashing import sha256
from custody.bitcoin.keys import KeyOrigin
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import GlobalXpub, KeyDerivation, PartialSignature, Psbt, PsbtInput, PsbtOutput
from custody.bitcoin.script import p2wsh_script
from custody.bitcoin.second_opinion import segwit_v0_sighash
from custody.bitcoin.sighash import SIGHASH_ALL, SegwitV0Hasher
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.vault.cosigner import Cosigner
from custody.vault.formats import vault_file
from custody.vault.vault import Vault
from custody_hardware.simulator import public_seed, simulated_key
from support.cli import Result, run
from support.vaults import NAMES

BTC = 100_000_000
COIN = BTC
FEE = 4_000
PAID = 40_000_000
PAYEE = b"\x00\x14" + sha256(b"payee")[:20]
OTHER_PAYEE = b"\x00\x14" + sha256(b"thief")[:20]
RBF = 0xFFFFFFFD
INPUT_INDEX = 3
CHANGE_INDEX = 4


@functools.cache
def simulated_vault(threshold: int = 2, count: int = 3, script_type: ScriptType = ScriptType.WSH_SORTEDMULTI) -> Vault:
    """Return a regtest vault whose keys come from public test seeds."""
    cosigners = tuple(
        Cosigner(NAMES[number - 1], simulated_key(number, Network.REGTEST, script_type))
        for number in range(1, count + 1)
    )
    return Vault.from_cosigners(
        cosigners, name="reserve", network=Network.REGTEST, script_type=script_type, threshold=threshold
    )


def funding(script_pubkey: bytes, value: int = COIN, *, salt: int = 0) -> Transaction:
    """Return a transaction whose output 1 pays `value` to `script_pubkey`."""
    source = TxInput(OutPoint(sha256(b"source %d" % salt).hex(), 0), b"", 0xFFFFFFFE)
    return Transaction(2, (source,), (TxOutput(Sats(5_000), PAYEE), TxOutput(Sats(value), script_pubkey)), 0)


def labels(vault: Vault, script: DerivedScript) -> tuple[KeyDerivation, ...]:
    """Return the true labels of a script, ordered as a PSBT writes them."""
    made = [
        KeyDerivation(key, KeyOrigin(cosigner.fingerprint, (*cosigner.key.origin.path, script.branch, script.index)))
        for cosigner, key in zip(vault.cosigners, script.key_by_cosigner, strict=True)
    ]
    return tuple(sorted(made, key=lambda label: label.public_key))


def own_input(vault: Vault, branch: int, index: int, value: int = COIN, *, salt: int = 0) -> PsbtInput:
    """Return a complete input that spends a coin of the vault."""
    script = vault.deriver.at(branch, index)
    previous = funding(script.script_pubkey, value, salt=salt)
    return PsbtInput(
        OutPoint(previous.txid, 1),
        RBF,
        non_witness_utxo=previous,
        witness_utxo=previous.outputs[1],
        redeem_script=script.redeem_script,
        witness_script=script.witness_script,
        derivations=labels(vault, script),
    )


def own_output(vault: Vault, branch: int, index: int, value: int) -> PsbtOutput:
    """Return a complete output to the vault."""
    script = vault.deriver.at(branch, index)
    return PsbtOutput(
        Sats(value), script.script_pubkey, script.redeem_script, script.witness_script, labels(vault, script)
    )


def global_xpubs(vault: Vault) -> tuple[GlobalXpub, ...]:
    """Return the global extended keys of all cosigners, ordered as a PSBT writes them."""
    made = [GlobalXpub(cosigner.key.key.to_bytes78(vault.network), cosigner.key.origin) for cosigner in vault.cosigners]
    return tuple(sorted(made, key=lambda xpub: xpub.key78))


def payment(vault: Vault, *, coins: int = 1, fee: int = FEE) -> Psbt:
    """Return a sound, complete payment: output 0 pays, output 1 is change at index 4."""
    inputs = tuple(own_input(vault, 0, INPUT_INDEX, salt=salt) for salt in range(coins))
    change = own_output(vault, 1, CHANGE_INDEX, coins * COIN - PAID - fee)
    outputs = (PsbtOutput(Sats(PAID), PAYEE), change)
    return Psbt(0, 2, 0, inputs, outputs, global_xpubs(vault))


def with_change(psbt: Psbt, **fields: Any) -> Psbt:
    """Return the payment with fields of its change output replaced."""
    return psbt.with_output(1, replace(psbt.outputs[1], **fields))


def with_coin(psbt: Psbt, number: int = 0, **fields: Any) -> Psbt:
    """Return the payment with fields of an input replaced."""
    return psbt.with_input(number, replace(psbt.inputs[number], **fields))


def change_to_script(psbt: Psbt, witness_script: bytes, derivations: Sequence[KeyDerivation]) -> Psbt:
    """Return the payment with its change in P2WSH of `witness_script`, with metadata that fits."""
    return with_change(
        psbt,
        script_pubkey=p2wsh_script(witness_script),
        witness_script=witness_script,
        redeem_script=None,
        derivations=tuple(sorted(derivations, key=lambda label: label.public_key)),
    )


def foreign_key(number: int = 0) -> bytes:
    """Return a public key that is nobody's."""
    secret = ec.PrivateKey(sha256(b"custody public test key, attacker %d" % number))
    key: bytes = secret.get_public_key().sec()
    return key


def private_key(number: int, origin: KeyOrigin) -> ec.PrivateKey:
    """Return the private key of simulator `number` (1, 2, …) at an origin."""
    return bip32.HDKey.from_seed(public_seed(number)).derive(list(origin.path)).key


def sign(
    psbt: Psbt, vault: Vault, number: int, *, inputs: Iterable[int] | None = None, sighash_type: int = SIGHASH_ALL
) -> Psbt:
    """Return the PSBT with partial signatures by cosigner `number` (1, 2, …) of a simulated vault."""
    hasher = SegwitV0Hasher(psbt.unsigned_transaction())
    for index in range(len(psbt.inputs)) if inputs is None else inputs:
        one = psbt.inputs[index]
        assert one.witness_script is not None and one.witness_utxo is not None
        fingerprint = vault.cosigners[number - 1].fingerprint
        label = next(entry for entry in one.derivations if entry.origin.fingerprint == fingerprint)
        digest = hasher.digest(index, one.witness_script, one.witness_utxo.value)
        if sighash_type != SIGHASH_ALL:
            raw, value = psbt.unsigned_transaction().serialize_without_witness(), one.witness_utxo.value
            digest = segwit_v0_sighash(raw, index, one.witness_script, value, sighash_type)
        der: bytes = private_key(number, label.origin).sign(digest).serialize()
        made = PartialSignature(label.public_key, der + bytes([sighash_type]))
        signatures = tuple(sorted((*one.partial_signatures, made), key=lambda entry: entry.public_key))
        psbt = psbt.with_input(index, replace(one, partial_signatures=signatures))
    return psbt


def write_files(folder: Path, psbt: Psbt | bytes, vault: Vault) -> tuple[Path, Path]:
    """Write a PSBT and a vault file, return their paths."""
    psbt_path, vault_path = folder / "payment.psbt", folder / "vault.yaml"
    psbt_path.write_bytes(psbt if isinstance(psbt, bytes) else psbt.serialize())
    vault_path.write_text(vault_file.write(vault))
    return psbt_path, vault_path


def run_review(folder: Path, psbt: Psbt | bytes, vault: Vault, *options: str | Path | int) -> Result:
    """Run `custody psbt review` on the payment."""
    psbt_path, vault_path = write_files(folder, psbt, vault)
    return run(["psbt", "review", psbt_path, "--vault-file", vault_path, "--json", *options])


def codes(answer: Any, severity: str) -> set[str]:
    """Return the codes with their places of one severity in a review's JSON."""
    return {f"{found['code']}@{found['where']}" for found in answer["findings"] if found["severity"] == severity}


def assert_refused(folder: Path, psbt: Psbt | bytes, vault: Vault, expected: set[str], *options: str | Path) -> Any:
    """Demand exit 3 with exactly these refusing findings (`CODE@where`), and an empty stderr."""
    result = run_review(folder, psbt, vault, *options)
    assert result.exit_code == 3, (result.stdout, result.stderr)
    assert result.stderr == ""
    assert result.json["verdict"] == "refused"
    assert codes(result.json, "refuse") == expected
    return result.json


def assert_warned(folder: Path, psbt: Psbt | bytes, vault: Vault, expected: set[str], *options: str | Path) -> Any:
    """Demand exit 0 with exactly these warnings and no refusal."""
    result = run_review(folder, psbt, vault, *options)
    assert result.exit_code == 0, (result.stdout, result.stderr)
    assert codes(result.json, "refuse") == set()
    assert codes(result.json, "warn") == expected
    assert result.json["verdict"] == ("warned" if expected else "clean")
    return result.json
