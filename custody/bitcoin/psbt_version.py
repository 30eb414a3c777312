"""Conversion between PSBT versions 0 and 2, without losing a byte on the way back.

A file in ascending key order becomes one in ascending key order. Where a version 0 file
was written in another order, or states its version, the order of the new fields in its
version 2 form carries that: the version field stands before the transaction version, or
the fallback locktime does. Both are valid; no other software needs to know.
Source: BIP 370.
"""

from dataclasses import replace
from itertools import pairwise

from custody.bitcoin import psbt_fields as f
from custody.bitcoin.psbt import Psbt, PsbtInput
from custody.codes import Code
from custody.errors import InvalidInput

_UNSIGNED_TX = bytes((f.GLOBAL_UNSIGNED_TX,))
_TX_VERSION = bytes((f.GLOBAL_TX_VERSION,))
_LOCKTIME = bytes((f.GLOBAL_FALLBACK_LOCKTIME,))
_COUNTS = (bytes((f.GLOBAL_INPUT_COUNT,)), bytes((f.GLOBAL_OUTPUT_COUNT,)))
_VERSION = bytes((f.GLOBAL_VERSION,))
_XPUB = bytes((f.GLOBAL_XPUB,))


def to_version(psbt: Psbt, version: int) -> Psbt:
    """Return `psbt` as version 0 or 2; 0 → 2 → 0 gives the same bytes.

    Raises:
        InvalidInput: PSBT_CONVERSION_LOSSY where version 0 can't say it (required locktimes,
            modifiable flags), UNSUPPORTED_PSBT_VERSION.
    """
    if version not in (0, 2):
        raise InvalidInput(
            Code.UNSUPPORTED_PSBT_VERSION, f"there is no PSBT version {version}", advice="Choose version 0 or 2."
        )
    if version == psbt.version:
        return psbt
    return _to_version_2(psbt) if version == 2 else _to_version_0(psbt)


def _to_version_2(psbt: Psbt) -> Psbt:
    order: list[bytes] | None = None
    if psbt.key_order is not None or psbt.states_version_zero:
        keys = psbt.key_order or _ascending_version_0_keys(psbt)
        at = keys.index(_UNSIGNED_TX) if _UNSIGNED_TX in keys else 0
        marked = (_LOCKTIME, _TX_VERSION) if psbt.states_version_zero else (_VERSION, _TX_VERSION, _LOCKTIME)
        order = [*keys[:at], *marked, *_COUNTS, *keys[at + 1 :]]
    return replace(psbt, version=2, states_version_zero=False, key_order=None if order is None else tuple(order))


def _ascending_version_0_keys(psbt: Psbt) -> tuple[bytes, ...]:
    xpubs = (_XPUB + xpub.key78 for xpub in psbt.global_xpubs)
    message = () if psbt.signed_message is None else (bytes((f.GLOBAL_SIGNED_MESSAGE,)),)
    return tuple(sorted([_UNSIGNED_TX, _VERSION, *xpubs, *message, *(raw.key for raw in psbt.unknown)]))


def _to_version_0(psbt: Psbt) -> Psbt:
    if psbt.tx_modifiable or any(_requires_locktime(one) for one in psbt.inputs):
        raise InvalidInput(
            Code.PSBT_CONVERSION_LOSSY,
            "version 0 can't say which locktimes inputs require, or that the transaction may still change",
            advice="Keep the PSBT as version 2, or have its maker fix locktime and flags first.",
        )
    order = list(psbt.key_order or ())
    states_version = any(pair == (_LOCKTIME, _TX_VERSION) for pair in pairwise(order))
    gone = {_LOCKTIME, *_COUNTS, bytes((f.GLOBAL_TX_MODIFIABLE,))} | (set() if states_version else {_VERSION})
    kept = tuple(_UNSIGNED_TX if key == _TX_VERSION else key for key in order if key not in gone)
    return replace(
        psbt,
        version=0,
        fallback_locktime=psbt.locktime,
        tx_modifiable=None,
        states_version_zero=states_version,
        inputs=tuple(replace(one, stated_sequence=one.sequence) for one in psbt.inputs),
        key_order=None if psbt.key_order is None else _none_if_ascending(kept),
    )


def _requires_locktime(psbt_input: PsbtInput) -> bool:
    return psbt_input.required_time_locktime is not None or psbt_input.required_height_locktime is not None


def _none_if_ascending(keys: tuple[bytes, ...]) -> tuple[bytes, ...] | None:
    return None if list(keys) == sorted(keys) else keys
