"""Where each key of a vault stands: its newest verified proof, and whether the policy's interval is over.

Every signature is verified again here: rehearsals were by whoever built the verified `Signers`, payments from their
PSBTs. No clock is asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from custody.audit.key_proofs import KeyProof, KeyStanding, ProofClock, ProofKind
from custody.audit.signers import Signers
from custody.audit.signing_start import spend_script_of
from custody.audit.state import ProposalRecord, RecordedSignature, State
from custody.bitcoin.psbt import PartialSignature
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.signatures import judge_input
from custody.vault.vault import Vault
from custody.workflow.recorded_rehearsals import verified_signers


def overdue_keys(state: State, vault: Vault) -> tuple[str, ...]:
    """Return the cosigners whose keys are overdue by the policy in force; none where it asks for nothing."""
    policy = state.governance.policy
    if policy is None or policy.prove_keys_every is None:
        return ()
    standings = key_standings(state, vault, verified_signers(vault, state.signers))
    return tuple(one.cosigner for one in standings if one.is_overdue)


def key_standings(state: State, vault: Vault, signers: Signers) -> tuple[KeyStanding, ...]:
    """Return where each key stands; `signers` are verified ones (`recorded_rehearsals.py`)."""
    policy = state.governance.policy
    clock = ProofClock(state.tips, None if policy is None else policy.prove_keys_every)
    paid = _payment_proofs(state, vault)
    found = []
    for cosigner in vault.cosigners:
        proofs = [*_rehearsal_proofs(signers, cosigner.name), *([paid[cosigner.name]] if cosigner.name in paid else [])]
        newest = max(proofs, key=lambda one: (one.time or 0, one.seq), default=None)
        record = signers.of(cosigner.name)
        found.append(clock.standing(cosigner.name, cosigner.fingerprint.hex(), record, newest))
    return tuple(found)


def _rehearsal_proofs(signers: Signers, name: str) -> Iterator[KeyProof]:
    """Yield one proof for each rehearsal, by its first record: told again, it proves nothing new."""
    seen: set[int] = set()
    for one in signers.of(name).rehearsals:
        if one.number not in seen:
            seen.add(one.number)
            time = None if one.tip is None else one.tip.median_time_past
            yield KeyProof(ProofKind.REHEARSAL, one.seq, time, str(one.number))


def _payment_proofs(state: State, vault: Vault) -> dict[str, KeyProof]:
    """Return the newest mined payment that each key signed, newest first until each key has one.

    A transaction proves once, by the first record of it, and no later than it was seen in its block: told again under
    another proposal, an old signature proves nothing new.
    """
    found: dict[str, KeyProof] = {}
    mined: dict[str, list[ProposalRecord]] = {}
    for record in state.proposals.values():
        if _is_mined(state, record):
            mined.setdefault(record.final_txid, []).append(record)
    firsts = ((txid, min(records, key=_first_signature)) for txid, records in mined.items())
    for txid, record in sorted(firsts, key=lambda one: _first_signature(one[1]), reverse=True):
        if len(found) == len(vault.cosigners):
            break
        seen = state.transactions[txid]
        for name, one in _signers_of(vault, record).items():
            proof = KeyProof(ProofKind.PAYMENT, one.seq, min(one.chain_time, seen.seen_time), txid)
            found.setdefault(name, proof)
    return found


def _first_signature(record: ProposalRecord) -> int:
    return min(one.seq for one in record.signatures)


def _is_mined(state: State, record: ProposalRecord) -> bool:
    seen = state.transactions.get(record.final_txid)
    return seen is not None and seen.block_hash is not None and bool(record.signatures)


def _signers_of(vault: Vault, record: ProposalRecord) -> Mapping[str, RecordedSignature]:
    """Return who really signed a payment, each with one verified signature."""
    hasher = SegwitV0Hasher(record.proposal.unsigned_transaction)
    found: dict[str, RecordedSignature] = {}
    for one in record.signatures:
        script = spend_script_of(vault, record, one.input_index)
        name = None if script is None else _owner(vault, record, one)
        if script is None or name is None or name in found:
            continue
        alone = (PartialSignature(one.public_key, one.signature),)
        bare = replace(record.psbt.inputs[one.input_index], partial_signatures=alone)
        if judge_input(bare, one.input_index, script, hasher).valid == (one.public_key,):
            found[name] = one
    return found


def _owner(vault: Vault, record: ProposalRecord, one: RecordedSignature) -> str | None:
    """Return whose key a signature names, at the place that the input really spends."""
    branch, index = record.psbt.inputs[one.input_index].derivations[0].origin.path[-2:]
    keys = vault.deriver.at(branch, index).key_by_cosigner
    return next((owner.name for owner, key in zip(vault.cosigners, keys, strict=True) if key == one.public_key), None)
