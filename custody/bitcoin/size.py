"""Worst-case sizes of multisig spends, exact: every signature counted at 72 bytes."""

from collections.abc import Sequence

from custody.bitcoin.descriptor import ScriptType


def worst_case_input_weight(threshold: int, key_count: int, script_type: ScriptType) -> int:
    """Return the weight of one input with its witness (the witness count byte included)."""
    raise NotImplementedError


def worst_case_vsize(
    input_count: int,
    output_scripts: Sequence[bytes],
    *,
    threshold: int,
    key_count: int,
    script_type: ScriptType,
) -> int:
    """Return the virtual size of a whole transaction, rounded up; no real one is larger."""
    raise NotImplementedError
