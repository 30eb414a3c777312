"""Worst-case sizes of multisig spends, exact: no real spend of the vault is larger.

A signature takes at most 72 bytes: DER with a 33-byte R (its first bit may be set) and a
32-byte S (low S never needs a 33rd byte), and the sighash byte. Fees are drafted on these
numbers, so that the rate that was asked for is always reached.
Source: BIP 141 (weight), BIP 146 (low S).
"""

from collections.abc import Sequence

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.transaction import write_bytes, write_compact_size

MAX_SIGNATURE_BYTES = 72
"""The sighash byte included."""
_OUTPOINT_AND_SEQUENCE = 36 + 4
_NESTED_SCRIPT_SIG = 35
"""A push of the 34-byte redeem script."""
_VERSION_AND_LOCKTIME = 8
_MARKER_AND_FLAG = 2
_VALUE = 8


def multisig_script_size(key_count: int) -> int:
    """Return the bytes of a multisig script of compressed keys."""
    return 3 + 34 * key_count


def worst_case_input_weight(threshold: int, key_count: int, script_type: ScriptType) -> int:
    """Return the weight of one input with its witness, the witness' own count included."""
    script_sig = _NESTED_SCRIPT_SIG if script_type is ScriptType.SH_WSH_SORTEDMULTI else 0
    base = _OUTPOINT_AND_SEQUENCE + _sized(script_sig)
    dummy = 1
    script = _sized(multisig_script_size(key_count))
    items = len(write_compact_size(threshold + 2))
    return 4 * base + items + dummy + threshold * _sized(MAX_SIGNATURE_BYTES) + script


def output_weight(script_pubkey: bytes) -> int:
    """Return the weight of one output."""
    return 4 * (_VALUE + len(write_bytes(script_pubkey)))


def worst_case_weight(
    input_count: int,
    output_scripts: Sequence[bytes],
    *,
    threshold: int,
    key_count: int,
    script_type: ScriptType,
) -> int:
    """Return the weight of a whole transaction that spends `input_count` coins of one vault."""
    counts = len(write_compact_size(input_count)) + len(write_compact_size(len(output_scripts)))
    frame = 4 * (_VERSION_AND_LOCKTIME + counts) + _MARKER_AND_FLAG
    inputs = input_count * worst_case_input_weight(threshold, key_count, script_type)
    return frame + inputs + sum(output_weight(script) for script in output_scripts)


def worst_case_vsize(
    input_count: int,
    output_scripts: Sequence[bytes],
    *,
    threshold: int,
    key_count: int,
    script_type: ScriptType,
) -> int:
    """Return the virtual size of a whole transaction, rounded up; as `worst_case_weight`."""
    weight = worst_case_weight(
        input_count, output_scripts, threshold=threshold, key_count=key_count, script_type=script_type
    )
    return -(-weight // 4)


def _sized(length: int) -> int:
    return len(write_compact_size(length)) + length
