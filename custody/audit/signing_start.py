"""When devices began to sign a proposal: the first recorded signature that is really one.

From there on a revocation takes no approval back that was given before, and waiting time and hours
have been kept or not. So much rests on it that the journal's word is not enough: whoever can append
could write a signature that nobody made. It is verified here against the vault's own script.
"""

from dataclasses import dataclass, replace

from custody.audit.state import ProposalRecord, RecordedSignature
from custody.bitcoin.psbt import PartialSignature
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.signatures import SpendScript, judge_input
from custody.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class SigningStart:
    """Where in the journal, and when by the chain's median time."""

    seq: int
    time: int
    """Unix seconds."""


def signing_start(vault: Vault, record: ProposalRecord) -> SigningStart | None:
    """Return where the first valid signature of a cosigner was recorded, None where there is none."""
    if not record.signatures:
        return None
    hasher = SegwitV0Hasher(record.proposal.unsigned_transaction)
    first = next((one for one in record.signatures if _is_valid(vault, record, one, hasher)), None)
    return None if first is None else SigningStart(first.seq, first.chain_time)


def _is_valid(vault: Vault, record: ProposalRecord, one: RecordedSignature, hasher: SegwitV0Hasher) -> bool:
    script = spend_script_of(vault, record, one.input_index)
    if script is None:
        return False
    alone = PartialSignature(one.public_key, one.signature)
    bare = replace(record.psbt.inputs[one.input_index], partial_signatures=(alone,))
    judged = judge_input(bare, one.input_index, script, hasher)
    return judged.valid == (one.public_key,)


def spend_script_of(vault: Vault, record: ProposalRecord, number: int) -> SpendScript | None:
    """Return what an input spends by the vault's own derivation, None where the PSBT doesn't prove it."""
    psbt_input = record.psbt.inputs[number]
    previous, outpoint = psbt_input.non_witness_utxo, record.proposal.inputs[number]
    path = psbt_input.derivations[0].origin.path if psbt_input.derivations else ()
    if previous is None or previous.txid != outpoint.txid or outpoint.vout >= len(previous.outputs) or len(path) < 2:
        return None
    branch, index = path[-2:]
    if branch not in vault.descriptor.branches or index >= 2**31:
        return None
    derived, spent = vault.deriver.at(branch, index), previous.outputs[outpoint.vout]
    if derived.script_pubkey != spent.script_pubkey:
        return None
    return SpendScript(derived.witness_script, spent.value, derived.redeem_script)
