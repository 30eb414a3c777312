"""Which proposal a returned file is about, by its whole unsigned transaction, and how it differs where it is none."""

from custody.audit.state import ProposalRecord, State
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput
from custody.spend.psbt_builder import stripped_txid
from custody.spend.rehearsal import is_impossible


def match_returned(
    state: State, returned: Psbt | Transaction, *, expected: ProposalRecord | None = None
) -> ProposalRecord:
    """Return the proposal that a returned file is about, by its whole unsigned transaction.

    `expected` is the one that it must be about, where that is known.

    Raises:
        CheckFailed: DIFFERENT_TRANSACTION, with what differs from the proposal that shares a coin.
        InvalidInput: REHEARSAL, the file spends coins that can't exist.
    """
    _refuse_rehearsal(returned)
    unsigned = returned.unsigned_transaction() if isinstance(returned, Psbt) else returned
    txid = stripped_txid(unsigned)
    for record in state.proposals.values():
        if record.proposal.unsigned_txid == txid and expected in (None, record):
            return record
    differences = _differences(state, unsigned)
    raise CheckFailed(
        Code.DIFFERENT_TRANSACTION,
        f"the file is about transaction `{txid}`, which is {'no' if expected is None else 'not the'} proposal"
        f"{' of this vault' if expected is None else ' that was to be signed'}"
        + (f": {differences[0]}" if differences else ""),
        advice="Do not use it: find out how another payment came into its place.",
        details={"unsigned_txid": txid, "differences": [*differences]},
    )


def _refuse_rehearsal(returned: Psbt | Transaction) -> None:
    previous = [one.non_witness_utxo for one in returned.inputs] if isinstance(returned, Psbt) else []
    if any(one is not None and is_impossible(one) for one in previous):
        raise InvalidInput(
            Code.REHEARSAL,
            "the file is a rehearsal, which proves a device and pays nothing",
            advice="Give it to `custody device check NAME --from FILE`.",
        )


def _differences(state: State, unsigned: Transaction) -> list[str]:
    """Say in words how a transaction differs from the newest proposal that shares a coin with it."""
    spent = {one.outpoint for one in unsigned.inputs}
    rivals = [one for one in state.proposals.values() if spent & set(one.proposal.inputs)]
    if not rivals:
        return []
    wanted = rivals[-1].proposal.unsigned_transaction
    words: list[str] = []
    for name, got, expected in (
        ("version", unsigned.version, wanted.version),
        ("locktime", unsigned.locktime, wanted.locktime),
        ("number of inputs", len(unsigned.inputs), len(wanted.inputs)),
        ("number of outputs", len(unsigned.outputs), len(wanted.outputs)),
    ):
        if got != expected:
            words.append(f"{name} is {got}, the proposal has {expected}")
    for number, (mine, theirs) in enumerate(zip(wanted.inputs, unsigned.inputs, strict=False)):
        if mine.outpoint != theirs.outpoint:
            words.append(f"input {number} spends {theirs.outpoint}, the proposal {mine.outpoint}")
        elif mine.sequence != theirs.sequence:
            words.append(f"input {number} has sequence {theirs.sequence:#x}, the proposal {mine.sequence:#x}")
    for number, (ours, other) in enumerate(zip(wanted.outputs, unsigned.outputs, strict=False)):
        if ours.value != other.value:
            words.append(f"output {number} pays {other.value} sat, the proposal {ours.value} sat")
        if ours.script_pubkey != other.script_pubkey:
            words.append(f"output {number} pays another script than the proposal")
    return words
