"""Judge the signatures of a rehearsal: every key alone, then every combination that can spend.

A key alone is judged by our own engine on every input. A combination is put together as a final
transaction and run through Bitcoin Core's script interpreter, where this Python has it; else
our own verdict on each witness stands alone, and that is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

from custody.bitcoin import kernel
from custody.bitcoin.psbt import PartialSignature, Psbt
from custody.bitcoin.psbt_roles import extract, finalize_input, take_signatures
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.signatures import InputSignatures, SpendScript, judge_input
from custody.bitcoin.transaction import Transaction, TxOutput
from custody.codes import Code
from custody.errors import CheckFailed, DeviceUnavailable, NotYet
from custody.ports import Progress
from custody.spend.rehearsal import Rehearsal
from custody.spend.review_inputs import spend_scripts
from custody.spend.review_model import ReviewContext, require_clean
from custody.spend.review_places import VaultScripts
from custody.vault.vault import Vault
from custody.workflow.psbt_files import require_same_sighashes
from custody.workflow.review_psbt import review_psbt

_REPORT_EVERY = 100

Signatures = tuple[PartialSignature, ...]
"""One cosigner's signatures, one for each input in their order."""


@dataclass(frozen=True, slots=True)
class Combinations:
    """What the combinations of the keys that signed one rehearsal showed."""

    verified: int
    """Combinations of exactly the threshold that satisfied every input's script."""
    of_vault: int
    """How many the whole vault has."""
    kernel_verified: bool
    """False where this Python has no libbitcoinkernel."""

    @property
    def is_complete(self) -> bool:
        """Whether every combination of the vault was verified."""
        return self.verified == self.of_vault


def rehearsal_scripts(vault: Vault, rehearsal: Rehearsal) -> tuple[SpendScript, ...]:
    """Review the rehearsal with both engines and return what its inputs spend.

    Raises:
        CheckFailed: the review refuses, or the engines give different signature hashes.
    """
    answer = review_psbt(rehearsal.psbt, vault, ReviewContext())
    require_clean(answer)
    scripts = spend_scripts(answer.inputs, VaultScripts.of(vault))
    require_same_sighashes(rehearsal.psbt.unsigned_transaction(), scripts)
    return scripts


def signatures_of(
    vault: Vault, rehearsal: Rehearsal, returned: Psbt | Transaction, *, cosigner: str, scripts: Sequence[SpendScript]
) -> Signatures:
    """Return one cosigner's verified signatures on every input of a returned rehearsal.

    Raises:
        CheckFailed: another transaction, a contradicting field, an invalid signature.
        DeviceUnavailable: DEVICE_NO_SIGNATURE, an input lacks a signature by this cosigner's key.
    """
    try:
        merged, _notes = take_signatures(rehearsal.psbt, returned, scripts)
    except NotYet as nothing:
        raise _unsigned(cosigner, 0) from nothing
    keys = cosigner_keys(vault, rehearsal, cosigner)
    found: list[PartialSignature] = []
    for number, (one, key) in enumerate(zip(merged.inputs, keys, strict=True)):
        mine = [entry for entry in one.partial_signatures if entry.public_key == key]
        if not mine:
            raise _unsigned(cosigner, number)
        found += mine
    return tuple(found)


def cosigner_keys(vault: Vault, rehearsal: Rehearsal, cosigner: str) -> tuple[bytes, ...]:
    """Return the cosigner's public key (33 bytes) in each input of the rehearsal."""
    position = [one.name for one in vault.cosigners].index(cosigner)
    answer = review_psbt(rehearsal.psbt, vault, ReviewContext())
    places = [one.place for one in answer.inputs if one.place is not None]
    return tuple(vault.deriver.at(place.branch, place.index).key_by_cosigner[position] for place in places)


def verify_combinations(
    vault: Vault,
    rehearsal: Rehearsal,
    signatures: Mapping[str, Signatures],
    scripts: Sequence[SpendScript],
    progress: Progress,
) -> Combinations:
    """Verify each key alone, then finalize and run every combination of threshold keys out of `signatures`.

    Raises:
        CheckFailed: a signature or a combination does not hold. Which keys, is said.
    """
    judged = _judge_each(rehearsal, signatures, scripts)
    total = comb(len(signatures), vault.threshold)
    spent = [TxOutput(one.value, _script_pubkey(rehearsal, number)) for number, one in enumerate(scripts)]
    has_kernel = kernel.is_available()
    for done, names in enumerate(combinations(signatures, vault.threshold)):
        if done % _REPORT_EVERY == 0:
            progress("combinations of keys", done, total)
        _verify_one(rehearsal, [judged[name] for name in names], scripts, spent if has_kernel else None, names)
    progress("combinations of keys", total, total)
    return Combinations(total, comb(len(vault.cosigners), vault.threshold), has_kernel)


def judge_alone(rehearsal: Rehearsal, signatures: Signatures, scripts: Sequence[SpendScript]) -> int | None:
    """Return the first input on which one key's signature does not hold, None where all hold."""
    hasher = SegwitV0Hasher(rehearsal.psbt.unsigned_transaction())
    for number, (bare, entry, script) in enumerate(zip(rehearsal.psbt.inputs, signatures, scripts, strict=True)):
        verdict = judge_input(replace(bare, partial_signatures=(entry,)), number, script, hasher)
        if verdict.findings or verdict.valid != (entry.public_key,):
            return number
    return None


def _judge_each(
    rehearsal: Rehearsal, signatures: Mapping[str, Signatures], scripts: Sequence[SpendScript]
) -> dict[str, tuple[PartialSignature, ...]]:
    for name, mine in signatures.items():
        wrong = judge_alone(rehearsal, mine, scripts)
        if wrong is not None:
            raise _broken(f"the signature of `{name}` on input {wrong} does not hold")
    return dict(signatures)


def _verify_one(
    rehearsal: Rehearsal,
    chosen: Sequence[Signatures],
    scripts: Sequence[SpendScript],
    spent: Sequence[TxOutput] | None,
    names: Sequence[str],
) -> None:
    inputs = []
    for number, (bare, script) in enumerate(zip(rehearsal.psbt.inputs, scripts, strict=True)):
        by_key = {one[number].public_key: one[number] for one in chosen}
        ordered = tuple(by_key[key] for key in script.keys if key in by_key)
        verdict = InputSignatures(number, tuple(by_key), (), ordered)
        inputs.append(finalize_input(bare, verdict, script))
    transaction = extract(replace(rehearsal.psbt, inputs=tuple(inputs)))
    if spent is None:
        return
    try:
        kernel.verify_scripts(transaction.serialize(), spent)
    except CheckFailed as error:
        raise _broken(f"the keys {', '.join(names)} together do not satisfy the script") from error


def _script_pubkey(rehearsal: Rehearsal, number: int) -> bytes:
    output = rehearsal.psbt.inputs[number].witness_utxo
    return b"" if output is None else output.script_pubkey


def _unsigned(cosigner: str, number: int) -> DeviceUnavailable:
    return DeviceUnavailable(
        Code.DEVICE_NO_SIGNATURE,
        f"what came back holds no signature by the key of `{cosigner}` on input {number}",
        advice="Check that it is the right device, that the vault is registered on it, and that its holder confirmed.",
    )


def _broken(message: str) -> CheckFailed:
    return CheckFailed(Code.BAD_SIGNATURE, message, advice="Put no money on this vault; report it to the developers.")
