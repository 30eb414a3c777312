"""Judge every signature of an input against the caller's own script and amount."""

from dataclasses import dataclass

from custody.bitcoin.amount import Sats
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.errors import Finding


@dataclass(frozen=True, slots=True)
class SpendScript:
    """What one input really spends, re-derived by the caller from the vault's descriptor."""

    witness_script: bytes
    value: Sats
    """From the full previous transaction."""
    redeem_script: bytes | None = None
    """For sh(wsh(…)); None for wsh(…)."""


@dataclass(frozen=True, slots=True)
class InputSignatures:
    """The verdict on one input's signatures."""

    index: int
    valid: tuple[bytes, ...]
    """Public keys with a valid SIGHASH_ALL signature, in script order."""
    findings: tuple[Finding, ...]


def verify_input_signatures(
    psbt: Psbt,
    index: int,
    witness_script: bytes,
    value: Sats,
    hasher: SegwitV0Hasher,
    *,
    redeem_script: bytes | None = None,
) -> InputSignatures:
    """Judge partial signatures, sighash field and final witness of input `index` (A50 to A56)."""
    raise NotImplementedError
