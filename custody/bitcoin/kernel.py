"""Third opinion on scripts: Bitcoin Core's own interpreter, through libbitcoinkernel.

The library is imported when it is first asked, in this module alone. It has no build for
Python 3.14; `is_available` says so, and nothing else may fail because of it. It is never
the only check: our own verdict on each signature comes first (`signatures.py`).
"""

from collections.abc import Iterator, Sequence
from types import ModuleType

from custody.bitcoin.transaction import TxOutput
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput


def is_available() -> bool:
    """Whether this Python has libbitcoinkernel."""
    return _library() is not None


def verify_scripts(transaction: bytes, spent_outputs: Sequence[TxOutput]) -> None:
    """Run every input's script of a final transaction under all consensus rules.

    `transaction` is the network's serialization; `spent_outputs` are the outputs that it
    spends, in the order of its inputs, as the caller knows them.

    Raises:
        CheckFailed: BAD_FINAL_WITNESS, naming the first input that does not satisfy its script.
        InvalidInput: COMPONENT_MISSING without the library, MALFORMED_TRANSACTION when it can't
            read the transaction or the numbers of inputs differ.
    """
    for index, satisfied in enumerate(satisfied_inputs(transaction, spent_outputs)):
        if not satisfied:
            raise CheckFailed(
                Code.BAD_FINAL_WITNESS,
                f"input {index} does not satisfy the script that it spends",
                advice="Do not broadcast: collect the signatures again.",
            )


def satisfied_inputs(transaction: bytes, spent_outputs: Sequence[TxOutput]) -> Iterator[bool]:
    """Say of one input after the other whether it satisfies its script under all consensus rules.

    Raises:
        InvalidInput: as `verify_scripts`, before the first answer.
    """
    library = _library()
    if library is None:
        raise InvalidInput(
            Code.COMPONENT_MISSING,
            "libbitcoinkernel is not installed on this Python",
            advice="Use Python 3.11 to 3.13 with the locked packages.",
        )
    try:
        parsed = library.Transaction(transaction)
    except RuntimeError as error:
        raise _unreadable("libbitcoinkernel can't read the transaction") from error
    if len(parsed.inputs) != len(spent_outputs):
        raise _unreadable(f"the transaction has {len(parsed.inputs)} inputs, expected {len(spent_outputs)}")
    scripts = [library.ScriptPubkey(output.script_pubkey) for output in spent_outputs]
    kernel_outputs = [
        library.TransactionOutput(script, output.value) for script, output in zip(scripts, spent_outputs, strict=True)
    ]
    shared = library.script.PrecomputedTransactionData(parsed, kernel_outputs)
    rules = library.ScriptVerificationFlags.ALL
    for index, (script, output) in enumerate(zip(scripts, spent_outputs, strict=True)):
        yield bool(script.verify(output.value, parsed, shared, index, rules))


def _library() -> ModuleType | None:
    try:
        import pbk
    except (ImportError, OSError):  # absent, or its shared library does not load here
        return None
    loaded: ModuleType = pbk
    return loaded


def _unreadable(message: str) -> InvalidInput:
    return InvalidInput(Code.MALFORMED_TRANSACTION, message, advice="Finalize the payment again.")
