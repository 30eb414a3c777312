"""Third opinion on scripts: Bitcoin Core's own interpreter through libbitcoinkernel (module `pbk`)."""

from collections.abc import Sequence

from custody.bitcoin.transaction import TxOutput


def is_available() -> bool:
    """Whether this Python has libbitcoinkernel (it has no build for 3.14)."""
    raise NotImplementedError


def verify_scripts(transaction: bytes, spent_outputs: Sequence[TxOutput]) -> None:
    """Run every input's script of a final transaction, `spent_outputs` in input order.

    Raises:
        CheckFailed: BAD_FINAL_WITNESS, naming the input.
        UpgradeNeeded / InvalidInput: COMPONENT_MISSING when the library is absent; ask `is_available` first.
    """
    raise NotImplementedError
