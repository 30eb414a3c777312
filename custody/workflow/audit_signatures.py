"""Judge the signatures of payments that a journal holds again: by our engine, the second one and Core's interpreter.

Each is judged against the vault's own script and the amount in the full previous transaction; both engines must give
one signature hash for every input. A finished transaction is run through libbitcoinkernel where this Python has it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from custody.audit.signing_start import spend_script_of
from custody.audit.state import ProposalRecord, RecordedSignature
from custody.bitcoin.psbt import PartialSignature
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.signatures import SpendScript, judge_input
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import CheckFailed, CustodyError
from custody.vault.vault import Vault
from custody.workflow.psbt_files import require_same_sighashes, verify_final

Problem = tuple[Code, str]
"""A code, and what is wrong in words."""


def signature_problems(vault: Vault, record: ProposalRecord, added: Sequence[RecordedSignature]) -> Iterator[Problem]:
    """Yield what is wrong with signatures of a proposal; a signature for an input that proves nothing is wrong too."""
    scripts = _scripts(vault, record)
    if scripts is None:
        yield _UNPROVEN
        return
    yield from _engines(record, scripts)
    hasher = SegwitV0Hasher(record.proposal.unsigned_transaction)
    for one in added:
        alone = PartialSignature(one.public_key, one.signature)
        bare = replace(record.psbt.inputs[one.input_index], partial_signatures=(alone,))
        judged = judge_input(bare, one.input_index, scripts[one.input_index], hasher)
        for finding in judged.findings:
            yield finding.code, f"proposal {record.proposal_id[:16]} input {one.input_index}: {finding.message}"


def final_problems(vault: Vault, record: ProposalRecord, final: Transaction) -> Iterator[Problem]:
    """Yield what is wrong with the finished transaction of a proposal."""
    scripts = _scripts(vault, record)
    if scripts is None:
        yield _UNPROVEN
        return
    hasher = SegwitV0Hasher(record.proposal.unsigned_transaction)
    found: list[Problem] = []
    for number, (bare, script, spent) in enumerate(zip(record.psbt.inputs, scripts, final.inputs, strict=True)):
        finished = replace(bare, final_script_sig=spent.script_sig, final_script_witness=spent.witness)
        judged = judge_input(finished, number, script, hasher)
        found += [
            (finding.code, f"proposal {record.proposal_id[:16]} input {number}: {finding.message}")
            for finding in judged.findings
        ]
    if found:
        yield from found
        return
    try:
        verify_final(final, record.psbt, scripts)
    except CustodyError as error:
        yield error.code, f"proposal {record.proposal_id[:16]}: {error.message}"


def _engines(record: ProposalRecord, scripts: Sequence[SpendScript]) -> Iterator[Problem]:
    try:
        require_same_sighashes(record.proposal.unsigned_transaction, scripts)
    except CheckFailed as error:
        yield error.code, f"proposal {record.proposal_id[:16]}: {error.message}"


def _scripts(vault: Vault, record: ProposalRecord) -> tuple[SpendScript, ...] | None:
    scripts = [spend_script_of(vault, record, number) for number in range(len(record.proposal.inputs))]
    return None if None in scripts else tuple(one for one in scripts if one is not None)


_UNPROVEN = (
    Code.ENTRY_CONTRADICTED,
    "the PSBT does not prove that its inputs are the vault's, so that no signature of it counts",
)
