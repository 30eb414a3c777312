"""Prove a cosigner's device before there is money: its key, its registration, an address, a signature.

The signature is over a rehearsal (`spend/rehearsal.py`), which can never spend anything. All
cosigners sign the same rehearsal; once all have, every combination of keys that can spend is put
together and verified. A device with new firmware signs the next one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from custody.audit.signers import Signers
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.psbt import PartialSignature, Psbt
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import CheckFailed, Conflict, DeviceUnavailable, InvalidInput
from custody.ports import FoundDevice, Progress, Registration, SignerBus
from custody.spend.psbt_builder import stripped_txid
from custody.spend.rehearsal import MAX_NUMBER, Rehearsal
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from custody.workflow.device_address import ShownAddress, derive_address, show_address
from custody.workflow.device_facts import Profiles, firmware_of, require_model, require_network
from custody.workflow.device_findings import kept_registration, require_compared
from custody.workflow.device_key import prove_device
from custody.workflow.device_record import Recorder, alarms_recorded, checked_events, registered_event
from custody.workflow.device_register import keeps_nothing, longest_name, register_over, registration_name
from custody.workflow.verify_rehearsal import (
    Combinations,
    Signatures,
    rehearsal_scripts,
    signatures_of,
    verify_combinations,
)


class Registered(StrEnum):
    """How a device came to know the vault by the time it was checked."""

    KEPT = "kept"
    """Registered before; the journal holds it."""
    MADE = "made"
    """Registered in this check."""
    NOT_NEEDED = "not-needed"
    """The device keeps no vault."""
    ELSEWHERE = "elsewhere"
    """The bus can't register: by file or QR code, or the signer's program does it by itself."""


@dataclass(frozen=True, slots=True)
class Guide:
    """What the holder is told while the device waits for them."""

    tell: Callable[[str], None]
    compare: Callable[[ShownAddress], None]
    """Called before the device shows an address."""
    progress: Progress


@dataclass(frozen=True, slots=True)
class Steps:
    """What a check found besides the signature."""

    model: str
    """Id of a profile, else the driver's name."""
    firmware: str | None
    route: str
    """`usb`, `file` or `qr`."""
    key_was_compared: bool
    registered: Registered
    address_was_compared: bool
    """The device said which address it showed, or its holder typed its end off the screen."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A rehearsal that one more cosigner has signed."""

    rehearsal: Rehearsal
    signatures: Signatures
    """Of this cosigner, verified on every input."""
    signed: tuple[str, ...]
    """Every cosigner who signed this rehearsal, in the vault's order."""
    combinations: Combinations


def check_over(
    bus: SignerBus,
    vault: Vault,
    signers: Signers,
    cosigner: Cosigner,
    *,
    profiles: Profiles,
    record: Recorder,
    guide: Guide,
    said_model: str | None = None,
) -> tuple[Steps, Rehearsed]:
    """Check a device over the bus, step by step, and record what held.

    A registration that is made on the way is recorded at once: it stands on the device, whatever comes after it.

    Raises:
        CheckFailed: DEVICE_KEY_MISMATCH, DEVICE_ADDRESS_MISMATCH (both recorded), POLICY_HMAC_UNKNOWN, or a
            signature that is wrong.
        DeviceUnavailable: DEVICE_UNSUPPORTED where it has no such network, and what the bus raises.
    """
    known = signers.of(cosigner.name)
    with alarms_recorded(record):
        device, compared = prove_device(bus, vault, cosigner)
        model, firmware = require_model(device, known, profiles, said_model), firmware_of(device, known)
        profile = profiles.get(model)
        if profile is not None:
            require_network(profile, firmware, vault.network, cosigner.name)
        guide.tell("1 of 4  key: " + ("the vault's own" if compared else "this signer's program gives out none"))
        kept = kept_registration(known, model, cosigner.name)
        registered = Registered.KEPT
        if keeps_nothing(profile):
            registered = Registered.NOT_NEEDED
        elif kept is None:
            name = registration_name(vault, longest_name(profile, firmware))
            kept = _register_if_possible(bus, device, vault, name, guide)
            registered = Registered.ELSEWHERE if kept is None else Registered.MADE
            if kept is not None:
                record([registered_event(cosigner.name, model, firmware, kept)])
        guide.tell(f"2 of 4  registration: {_REGISTERED_WORDS[registered]}")
        wanted = derive_address(vault, Branch.RECEIVE, 0)
        guide.tell("3 of 4  address: the device shows receive 0")
        guide.compare(wanted)
        shown = show_address(bus, device, vault, cosigner, wanted=wanted, registration=kept)
        require_compared(cosigner, known, compared=shown.answered is not None)
    rehearsal = next_rehearsal(vault, signers, cosigner.name)
    guide.tell(f"4 of 4  signature: confirm rehearsal {rehearsal.number} on the device; nothing can be spent by it")
    returned = sign_rehearsal(bus, device, vault, rehearsal, kept)
    rehearsed = judge_rehearsal(vault, signers, cosigner, rehearsal, returned, guide.progress)
    steps = Steps(model, firmware, "usb", compared, registered, shown.answered is not None)
    record_check(record, cosigner, steps, rehearsed)
    return steps, rehearsed


def record_check(record: Recorder, cosigner: Cosigner, steps: Steps, rehearsed: Rehearsed) -> None:
    """Record a check that was passed, with its signatures."""
    record(
        checked_events(
            cosigner.name,
            steps.model,
            steps.firmware,
            route=steps.route,
            rehearsal=rehearsed.rehearsal,
            signatures=rehearsed.signatures,
        )
    )


def next_rehearsal(vault: Vault, signers: Signers, cosigner: str) -> Rehearsal:
    """Return the rehearsal that a cosigner signs next: the newest that others signed, or a new one.

    `signers` are verified ones (`recorded_rehearsals.py`), here and below: what the journal tells alone can name any
    number.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    newest = max(signers.newest_rehearsal, 1)
    signed = {one.number for one in signers.of(cosigner).rehearsals}
    if newest in signed and newest == MAX_NUMBER:
        newest = next(number for number in range(1, MAX_NUMBER) if number not in signed)
    return Rehearsal.of(vault, newest + 1 if newest in signed else newest)


def sign_rehearsal(
    bus: SignerBus,
    device: FoundDevice,
    vault: Vault,
    rehearsal: Rehearsal,
    registration: Registration | None,
) -> Psbt:
    """Let the device sign the rehearsal and return what comes back, unjudged.

    Raises:
        DeviceUnavailable: DEVICE_ANSWER_INVALID, and what the bus raises.
    """
    returned = bus.sign(device, vault, rehearsal.psbt.serialize(), registration)
    try:
        return Psbt.parse(returned)
    except InvalidInput as unreadable:
        raise DeviceUnavailable(
            Code.DEVICE_ANSWER_INVALID,
            f"what the device returned is no valid PSBT: {unreadable.message}",
            advice="Nothing was recorded. Try again; if it happens again, check it by file.",
        ) from unreadable


def rehearsal_of_file(vault: Vault, signers: Signers, cosigner: str, returned: Psbt | Transaction) -> Rehearsal:
    """Return the rehearsal that a returned file is about: one that the cosigner has not signed yet.

    A device that alone makes a quorum may give back the finished transaction.

    Raises:
        CheckFailed: DIFFERENT_TRANSACTION. Conflict: NOTHING_TO_DO, the cosigner's signature of it is known.
    """
    unsigned = returned.unsigned_transaction() if isinstance(returned, Psbt) else returned
    txid = stripped_txid(unsigned)
    expected = next_rehearsal(vault, signers, cosigner)
    told = {one.number for record in signers.records.values() for one in record.rehearsals}
    written = {1, expected.number} | told | {number + 1 for number in told if number < MAX_NUMBER}
    for number in sorted(written, reverse=True):
        rehearsal = Rehearsal.of(vault, number)
        if rehearsal.unsigned_txid == txid:
            _require_unsigned(signers, cosigner, number, expected.number)
            return rehearsal
    raise CheckFailed(
        Code.DIFFERENT_TRANSACTION,
        f"the file is about transaction `{txid}`, `{cosigner}` signs rehearsal {expected.number}, "
        f"`{expected.unsigned_txid}`",
        advice=f"Write it with `custody device check {cosigner} --to FOLDER`, and sign that one.",
        details={"expected_txid": expected.unsigned_txid, "txid": txid},
    )


def _require_unsigned(signers: Signers, cosigner: str, number: int, following: int) -> None:
    signed = signers.of(cosigner).rehearsal(number)
    if signed is None:
        return
    raise Conflict(
        Code.NOTHING_TO_DO,
        f"rehearsal {number} signed by `{cosigner}` is in the journal already (entry {signed.seq})",
        advice=f"To check the device again, sign rehearsal {following}: `custody device check {cosigner} --to FOLDER`.",
    )


def judge_rehearsal(
    vault: Vault,
    signers: Signers,
    cosigner: Cosigner,
    rehearsal: Rehearsal,
    returned: Psbt | Transaction,
    progress: Progress,
) -> Rehearsed:
    """Verify the cosigner's signatures, and with those of the others every combination that there is by now.

    Raises:
        CheckFailed: DIFFERENT_TRANSACTION, COMBINE_NON_SIGNATURE_CHANGE, or an invalid signature's code.
        DeviceUnavailable: DEVICE_NO_SIGNATURE.
    """
    scripts = rehearsal_scripts(vault, rehearsal)
    mine = signatures_of(vault, rehearsal, returned, cosigner=cosigner.name, scripts=scripts)
    together = {**recorded_signatures(vault, signers, rehearsal), cosigner.name: mine}
    ordered = {one.name: together[one.name] for one in vault.cosigners if one.name in together}
    found = verify_combinations(vault, rehearsal, ordered, scripts, progress)
    return Rehearsed(rehearsal, mine, tuple(ordered), found)


def recorded_signatures(vault: Vault, signers: Signers, rehearsal: Rehearsal) -> dict[str, Signatures]:
    """Return what the journal holds of one rehearsal, by cosigner."""
    found: dict[str, Signatures] = {}
    for one in vault.cosigners:
        signed = signers.of(one.name).rehearsal(rehearsal.number)
        if signed is not None and len(signed.signatures) == len(rehearsal.psbt.inputs):
            found[one.name] = _signatures(signed.signatures)
    return found


_REGISTERED_WORDS = {
    Registered.KEPT: "known from before",
    Registered.MADE: "made now, and kept in the journal",
    Registered.NOT_NEEDED: "this device keeps no vault",
    Registered.ELSEWHERE: "not possible by this way; register by file, or the signer's program sees to it",
}


def _register_if_possible(
    bus: SignerBus, device: FoundDevice, vault: Vault, name: str, guide: Guide
) -> Registration | None:
    guide.tell(f"        if it asks, compare threshold, script and EVERY key on the screen, then confirm `{name}`")
    try:
        return register_over(bus, device, vault, name)
    except DeviceUnavailable as unable:
        if unable.code is not Code.DEVICE_UNSUPPORTED:
            raise
        return None


def _signatures(pairs: Sequence[tuple[bytes, bytes]]) -> Signatures:
    return tuple(PartialSignature(key, signature) for key, signature in pairs)
