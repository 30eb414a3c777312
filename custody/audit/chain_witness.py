"""Hold a journal's observations of the chain against what the journal itself proves.

An observation has no signature: whoever can write the file can write one. But scripts follow from the vault, a
payment's transactions stand whole in its PSBT, a coin is spent once, and what is spent was seen before. What
contradicts that is named here. A coin that nothing else in the journal speaks of, or an outflow that was left out,
contradicts nothing: only a node can tell, and whoever shows these findings has to say so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from custody.audit.block_witness import BlockWitness, Placed
from custody.audit.fold_chain import Observation
from custody.audit.state import ProposalRecord, SeenTransaction
from custody.audit.state_builder import StateBuilder
from custody.bitcoin.derivation import find_script
from custody.bitcoin.hashing import sha256
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.vault.vault import Vault

_LOOKED_AHEAD = 1_000
"""Indexes above the highest in use at which an output that is called nobody's is looked for among ours."""
_MAX_STEP = 100_000
"""No observation finds an index so far above the highest in use: deriving up to it would take for ever."""
_UNSEEN_AFTER = 100
"""Blocks after which a payment that was sent and never seen again is named."""


@dataclass(slots=True)
class ChainWitness:
    """Learns from each draft and each observation in their order; grows with the transactions, not with the entries."""

    vault: Vault
    _digests: dict[str, bytes] = field(default_factory=dict)
    """Outputs, hashed, of transactions that stand whole in the journal, by txid."""
    _payments: dict[str, ProposalRecord] = field(default_factory=dict)
    """By the txid that the finished transaction will have."""
    _pending: dict[OutPoint, Placed] = field(default_factory=dict)
    """Coins that were spent before anything said where they come from."""
    _sent: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    """Broadcasts by txid: the entry, the tip's height then, and the proposal."""
    _spender: dict[OutPoint, str] = field(default_factory=dict)
    """Who spent a coin in a block last."""
    _blocks: BlockWitness = field(default_factory=BlockWitness)

    def learn_draft(self, state: StateBuilder, record: ProposalRecord) -> list[str]:
        """Take a draft's PSBT as evidence, and return what earlier observations say against it."""
        found = []
        for psbt_input, outpoint in zip(record.psbt.inputs, record.proposal.inputs, strict=True):
            previous, seen = psbt_input.non_witness_utxo, state.transactions.get(outpoint.txid)
            if previous is not None and previous.txid == outpoint.txid:
                self._digests[outpoint.txid] = _digest_of(previous)
                if seen is not None and _digest_seen(seen) != self._digests[outpoint.txid]:
                    found.append(f"entry {seen.seq} gives {outpoint.txid} other outputs than that transaction has")
            if not _is_ours(seen, outpoint.vout):
                found.append(f"it spends {outpoint}, which no observation before it has as a coin of the vault")
        self._digests[record.final_txid] = _digest_of(record.proposal.unsigned_transaction)
        self._payments[record.final_txid] = record
        return found

    def learn_broadcast(self, state: StateBuilder, record: ProposalRecord, seq: int) -> None:
        """Note that a payment is said to have been sent."""
        height = 0 if state.tip is None else state.tip.height
        self._sent.setdefault(record.final_txid, (seq, height, record.proposal_id))

    def judge(self, state: StateBuilder, observed: Observation) -> list[str]:
        """Return what contradicts an observation; `state` is that before it."""
        found = []
        here: dict[str, SeenTransaction] = {}
        for one in observed.seen:
            if one.txid in here:
                found.append(f"it has transaction {one.txid} twice")
            here[one.txid] = one
        found += self._blocks.judge(state, observed, here)
        around = _Around(state, here, frozenset(observed.lost))
        for one in here.values():
            found += self._against_outputs(state, one)
            found += self._against_inputs(around, one)
            found += self._against_transaction(one)
        return found

    def finish(self, state: StateBuilder) -> Iterator[Placed]:
        """Yield what is still contradicted at the end of the journal."""
        yield from self._blocks.finish(state)
        for outpoint, (seq, txid) in self._pending.items():
            if not _is_ours(state.transactions.get(outpoint.txid), outpoint.vout) and txid in state.transactions:
                yield seq, f"{txid} spends {outpoint} of the vault, and no observation has that coin"

    def unseen(self, state: StateBuilder) -> Iterator[Placed]:
        """Yield the payments that were sent long ago, and of which no observation says what became of them."""
        if state.tip is None:
            return
        spent = {one.outpoint for seen in state.transactions.values() for one in seen.inputs}
        for txid, (seq, height, proposal_id) in self._sent.items():
            record = state.proposals.get(proposal_id)
            if record is None or txid in state.transactions or spent & set(record.proposal.inputs):
                continue
            if state.tip.height - height > _UNSEEN_AFTER:
                yield (
                    seq,
                    (
                        f"{txid} was sent at block {height}; up to block {state.tip.height} no observation has it, "
                        "or another spend of its coins"
                    ),
                )

    def _against_outputs(self, state: StateBuilder, one: SeenTransaction) -> Iterator[str]:
        for vout, output in enumerate(one.outputs):
            if output.place is None:
                ours = self._place_of(state, output.script_pubkey)
                if ours is not None:
                    yield f"{one.txid}:{vout} pays the vault's address {ours[0]}/{ours[1]}, and it is called nobody's"
            elif not self._derives(state, output.place, output.script_pubkey):
                branch, index = output.place
                yield f"{one.txid}:{vout} is called the vault's at {branch}/{index}, and the vault has another script"

    def _derives(self, state: StateBuilder, place: tuple[int, int], script_pubkey: bytes) -> bool:
        branch, index = place
        if branch not in self.vault.descriptor.branches or index > state.highest.get(branch, -1) + _MAX_STEP:
            return False
        return index < 2**31 and self.vault.deriver.at(branch, index).script_pubkey == script_pubkey

    def _against_inputs(self, around: "_Around", one: SeenTransaction) -> Iterator[str]:
        if len({spent.outpoint for spent in one.inputs}) < len(one.inputs):
            yield f"{one.txid} spends one coin twice"
        if one.inputs and one.is_coinbase:
            yield f"{one.txid} is called a miner's reward, and spends coins of the vault"
        for spent in one.inputs:
            outpoint = spent.outpoint
            made_by = around.known(outpoint.txid)
            if made_by is None or not _is_ours(made_by, outpoint.vout):
                self._pending.setdefault(outpoint, (one.seq, one.txid))
            else:
                made = made_by.outputs[outpoint.vout]
                if (made.value, made.place) != (spent.value, (spent.branch, spent.index)):
                    yield f"{one.txid} spends {outpoint} with another amount or place than it was seen with"
            if one.block_hash is None:
                continue
            rival = around.known(self._spender.get(outpoint, one.txid))
            if rival is not None and rival.txid != one.txid and rival.block_hash is not None:
                yield f"{one.txid} spends {outpoint}, which {rival.txid} spends in a block too: it would count twice"
            self._spender[outpoint] = one.txid

    def _against_transaction(self, one: SeenTransaction) -> Iterator[str]:
        digest, payment = self._digests.get(one.txid), self._payments.get(one.txid)
        if digest is not None and digest != _digest_seen(one):
            yield f"it gives {one.txid} other outputs than the transaction itself has, which stands in the journal"
        if payment is None:
            left = sum(spent.value for spent in one.inputs) - sum(output.value for output in one.outputs)
            if one.inputs and one.fee is not None and one.fee < left:
                yield f"{one.txid} pays a fee of {one.fee} sat, and the vault's coins alone leave {left} sat"
            return
        if {spent.outpoint for spent in one.inputs} != set(payment.proposal.inputs):
            yield f"{one.txid} is proposal {payment.proposal_id[:16]}, and not all coins that it spends are named"
        elif one.fee is not None and one.fee != payment.proposal.fee:
            yield f"{one.txid} pays a fee of {one.fee} sat here, and {payment.proposal.fee} sat as it was drafted"

    def _place_of(self, state: StateBuilder, script_pubkey: bytes) -> tuple[int, int] | None:
        counts = {int(one): state.highest.get(one, -1) + 1 + _LOOKED_AHEAD for one in self.vault.descriptor.branches}
        return find_script(self.vault.deriver, {script_pubkey}, counts=counts).get(script_pubkey)


@dataclass(frozen=True, slots=True)
class _Around:
    """The transactions that stand once an observation is applied."""

    before: StateBuilder
    here: dict[str, SeenTransaction]
    lost: frozenset[str]

    def known(self, txid: str) -> SeenTransaction | None:
        """Return a transaction, None where it is unknown or was taken back."""
        if txid in self.here:
            return self.here[txid]
        return None if txid in self.lost else self.before.transactions.get(txid)


def _is_ours(seen: SeenTransaction | None, vout: int) -> bool:
    return seen is not None and vout < len(seen.outputs) and seen.outputs[vout].place is not None


def _digest_of(transaction: Transaction) -> bytes:
    return sha256(repr([(int(one.value), one.script_pubkey) for one in transaction.outputs]).encode())


def _digest_seen(seen: SeenTransaction) -> bytes:
    return sha256(repr([(int(one.value), one.script_pubkey) for one in seen.outputs]).encode())
