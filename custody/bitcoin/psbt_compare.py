"""Compares a returned PSBT with the master, everything but signatures.

Devices trim what they do not need, so absent fields say nothing. Added fields are ignored
and named. The same key with another value is an attempt, or a fault, and refuses the file.
"""

from collections.abc import Iterator

from custody.bitcoin import psbt_fields as f
from custody.bitcoin.psbt import Psbt, PsbtInput
from custody.bitcoin.psbt_input import input_fields
from custody.bitcoin.psbt_output import output_fields
from custody.bitcoin.psbt_reader import RawMap
from custody.codes import Code
from custody.errors import CheckFailed, Finding, Severity

_SIGNATURE_TYPES = frozenset({f.IN_PARTIAL_SIG, f.IN_FINAL_SCRIPTSIG, f.IN_FINAL_SCRIPTWITNESS})
_CLEARABLE_FLAGS = 0x03
"""Inputs and outputs modifiable: a signer clears them when it signs (BIP 370)."""


def require_same_metadata(master: Psbt, returned: Psbt) -> tuple[Finding, ...]:
    """Return a note on fields that only `returned` has; both are about the same transaction.

    Raises:
        CheckFailed: COMBINE_NON_SIGNATURE_CHANGE.
    """
    version = 2 if master.version == returned.version == 2 else 0
    added = _compare_flags(master.tx_modifiable, returned.tx_modifiable)
    for where, own, theirs in _pairs(master, returned, version):
        for key, value in theirs.items():
            if key not in own:
                added.append(f"{where} {_name(key)}")
            elif own[key] != value:
                raise _changed(f"{where}: the field {_name(key)} has another value than in our own file")
    if not added:
        return ()
    shown = ", ".join(added[:5]) + (f" and {len(added) - 5} more" if len(added) > 5 else "")
    return (
        Finding(
            Code.COMBINE_FIELDS_IGNORED,
            Severity.NOTE,
            "tx",
            f"{len(added)} field(s) of the returned file were ignored: {shown}",
            "Nothing to do: only its signatures were taken.",
        ),
    )


def _pairs(master: Psbt, returned: Psbt, version: int) -> Iterator[tuple[str, RawMap, RawMap]]:
    yield "global", _global(master, version), _global(returned, version)
    for index, (own, theirs) in enumerate(zip(master.inputs, returned.inputs, strict=True)):
        yield f"input {index}", _unsigned_fields(own, version), _unsigned_fields(theirs, version)
    for index, (own_output, their_output) in enumerate(zip(master.outputs, returned.outputs, strict=True)):
        yield f"output {index}", output_fields(own_output, version), output_fields(their_output, version)


def _global(psbt: Psbt, version: int) -> RawMap:
    fields = {bytes((f.GLOBAL_XPUB,)) + xpub.key78: f.origin_to_bytes(xpub.origin) for xpub in psbt.global_xpubs}
    if version == 2 and psbt.fallback_locktime is not None:
        fields[bytes((f.GLOBAL_FALLBACK_LOCKTIME,))] = psbt.fallback_locktime.to_bytes(4, "little")
    if psbt.signed_message is not None:
        fields[bytes((f.GLOBAL_SIGNED_MESSAGE,))] = psbt.signed_message
    fields.update((raw.key, raw.value) for raw in psbt.unknown)
    return fields


def _unsigned_fields(psbt_input: PsbtInput, version: int) -> RawMap:
    fields = input_fields(psbt_input, version)
    return {key: value for key, value in fields.items() if key[0] not in _SIGNATURE_TYPES}


def _compare_flags(own: int | None, theirs: int | None) -> list[str]:
    """Return what `theirs` adds; a signer may clear flags of ours and set none."""
    if own is None or theirs is None:
        return [] if theirs is None else ["global modifiable flags"]
    if theirs & ~own or own & ~theirs & ~_CLEARABLE_FLAGS:
        raise _changed("global: the modifiable flags say other things than in our own file")
    return []


def _changed(message: str) -> CheckFailed:
    return CheckFailed(
        Code.COMBINE_NON_SIGNATURE_CHANGE,
        message,
        advice="Do not use this file: a signer adds signatures and changes nothing else.",
    )


def _name(key: bytes) -> str:
    return f"0x{key[0]:02x}" + (f" ({key[1:9].hex()})" if len(key) > 1 else "")
