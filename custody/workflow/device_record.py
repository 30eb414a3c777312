"""What device commands write to the journal, and that an alarm is never lost on the way there.

A device is asked without the workspace's lock, since a person may take minutes. Only what was
verified is recorded, in one append at the end; a device that shows another key or address than
the vault's is recorded at once, and the command fails all the same.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from custody.audit.signers import CHECKED, MISMATCH, REGISTERED, REHEARSED
from custody.codes import Code
from custody.errors import CheckFailed, CustodyError, JsonValue
from custody.ports import Registration
from custody.spend.rehearsal import Rehearsal
from custody.workflow.office import Event
from custody.workflow.verify_rehearsal import Signatures

Recorder = Callable[[Sequence[Event]], None]
"""Appends events to the vault's journal in one step."""

_MISMATCHES = frozenset({Code.DEVICE_KEY_MISMATCH, Code.DEVICE_ADDRESS_MISMATCH})


def record_nothing(_events: Sequence[Event]) -> None:
    """Record nothing: for a vault file without a workspace."""


def mismatch(code: Code, message: str, *, cosigner: str | None, what: str, expected: str, got: str) -> CheckFailed:
    """Return the alarm that a device contradicts the vault, or itself where no `cosigner` is known yet.

    `what` is `key` or `address`.
    """
    whose: dict[str, JsonValue] = {} if cosigner is None else {"cosigner": cosigner}
    return CheckFailed(
        code,
        message,
        advice="Sign nothing with it and use no address that it showed: find out whether the device or this "
        "computer lies.",
        details={**whose, "what": what, "expected": expected, "got": got},
    )


@contextmanager
def alarms_recorded(record: Recorder) -> Iterator[None]:
    """Write a mismatch that is raised inside to the journal before it goes on; if that fails, the alarm says so."""
    try:
        yield
    except CheckFailed as alarm:
        if alarm.code in _MISMATCHES and "cosigner" in alarm.details:
            try:
                record([(MISMATCH, {key: alarm.details[key] for key in ("cosigner", "what", "expected", "got")})])
                alarm.details["journalled"] = record is not record_nothing
            except CustodyError as failure:
                alarm.details["not_journalled"] = failure.message
        raise


def registered_event(cosigner: str, device: str, firmware: str | None, registration: Registration) -> Event:
    """Return the event that a vault was registered on a cosigner's device; `device` is a profile's id."""
    body: dict[str, JsonValue] = {
        "cosigner": cosigner,
        "device": device,
        "firmware": firmware,
        "method": registration.method,
        "name": registration.name,
        "policy_id": registration.policy_id,
        "token": None if registration.token is None else registration.token.hex(),
    }
    return REGISTERED, body


def checked_events(
    cosigner: str,
    device: str,
    firmware: str | None,
    *,
    route: str,
    rehearsal: Rehearsal,
    signatures: Signatures,
) -> list[Event]:
    """Return the events that a device passed its check, with the signatures that anybody can verify again."""
    signed: list[JsonValue] = [
        {"public_key": one.public_key.hex(), "signature": one.signature.hex()} for one in signatures
    ]
    common: dict[str, JsonValue] = {"cosigner": cosigner, "unsigned_txid": rehearsal.unsigned_txid}
    return [
        (REHEARSED, {**common, "number": rehearsal.number, "signatures": signed}),
        (CHECKED, {**common, "device": device, "firmware": firmware, "route": route}),
    ]
