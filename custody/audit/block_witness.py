"""Hold what a journal says of blocks against what holds in every chain of blocks.

An observation tells what changed: the same again would only make a transaction look younger. A block has one height,
and a height one block; a coin is spent in no block before its own, a miner's reward not before 100 blocks; a block
doesn't vanish from below one that stays; and an entry's tip is the one that was observed last. None of it needs a
node. Which of two real chains the office followed, only a node can tell.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from custody.audit.fold_chain import Observation
from custody.audit.journal import Entry, EntryTip
from custody.audit.journal_clock import observed_tip
from custody.audit.state import SeenTransaction
from custody.audit.state_builder import StateBuilder
from custody.bitcoin.block import COINBASE_MATURITY

Placed = tuple[int, str]
"""An entry, and what contradicts it, in words."""


@dataclass(slots=True)
class TipWatch:
    """Compares the tip of each entry with the one observed last; keeps three tips, however long the journal."""

    _newest: EntryTip | None = None
    _before: EntryTip | None = None
    """As it was when the newest step began: entries of one step share the tip that it began with."""
    _step: str = ""
    _said: EntryTip | None = None

    def judge(self, entry: Entry) -> str | None:
        """Return what is wrong with the tip of the next entry, once for each false tip."""
        if entry.request_id != self._step:
            self._step, self._before = entry.request_id, self._newest
        said, self._said = self._said, entry.tip
        observed = observed_tip(entry)
        is_known = entry.tip in (None, self._newest, self._before)
        self._newest = observed or self._newest
        if is_known or entry.tip == said or entry.tip is None:
            return None
        return f"its tip, block {entry.tip.height} `{entry.tip.block_hash}`, is not the one that was observed last"


@dataclass(slots=True)
class BlockWitness:
    """Learns from each observation what can't be in one chain."""

    _dropped: dict[str, Placed] = field(default_factory=dict)
    """Transactions whose block is said to have vanished though one above it stayed, by txid."""

    def judge(self, state: StateBuilder, observed: Observation, here: Mapping[str, SeenTransaction]) -> Iterator[str]:
        """Yield what contradicts an observation, `here` its transactions by txid; `state` is that before it."""
        tip, lost = observed.tip, frozenset(observed.lost)
        for one in here.values():
            known = None if one.txid in lost else state.transactions.get(one.txid)
            if known is not None and known.block_hash == one.block_hash:
                yield f"{one.txid} stands where entry {known.seq} has it already: nothing of it is new"
            if one.height is None:
                continue
            if one.height > tip.height:
                yield f"{one.txid} stands in block {one.height}, above the tip at {tip.height}"
            elif (one.height == tip.height) is not (one.block_hash == tip.block_hash):
                yield f"{one.txid} stands in block {one.height} `{one.block_hash}`, and the tip says otherwise"
        yield from self._against_vanished(state, observed, here)

    def _against_vanished(
        self, state: StateBuilder, observed: Observation, here: Mapping[str, SeenTransaction]
    ) -> Iterator[str]:
        gone = [one for one in map(state.transactions.__getitem__, observed.lost) if one.height is not None]
        if not gone:
            return
        words = "{} is taken out of block {}, and a block above it, or the tip, stays as it was"
        lost = frozenset(observed.lost)
        stays = max((one.height or -1 for one in state.transactions.values() if one.txid not in lost), default=-1)
        if state.tip is not None and state.tip.block_hash == observed.tip.block_hash:
            stays = max(stays, state.tip.height + 1)
        for one in gone:
            if one.height is None or one.height >= stays:
                continue
            again = here.get(one.txid)
            if again is not None and again.block_hash not in (None, one.block_hash):
                yield words.format(one.txid, one.height)
            else:
                self._dropped.setdefault(one.txid, (observed.seq, words.format(one.txid, one.height)))

    def finish(self, state: StateBuilder) -> Iterator[Placed]:
        """Yield what is contradicted at the end of the journal."""
        at_height: dict[int, SeenTransaction] = {}
        with_hash: dict[str, SeenTransaction] = {}
        for one in state.transactions.values():
            if one.height is None or one.block_hash is None:
                continue
            first = at_height.setdefault(one.height, one)
            if first.block_hash != one.block_hash:
                yield one.seq, f"block {one.height} is {one.block_hash}; by entry {first.seq} it is {first.block_hash}"
            first = with_hash.setdefault(one.block_hash, one)
            if first.height != one.height:
                yield (
                    one.seq,
                    f"block {one.block_hash} is at {one.height}; by entry {first.seq} it is at {first.height}",
                )
            yield from _against_order(state, one, one.height)
        for txid, placed in self._dropped.items():
            found = state.transactions.get(txid)
            if found is None or found.height is None:
                yield placed


def _against_order(state: StateBuilder, one: SeenTransaction, height: int) -> Iterator[Placed]:
    for spent in one.inputs:
        made_by = state.transactions.get(spent.outpoint.txid)
        if made_by is None:
            continue
        if made_by.height is None or made_by.height > height:
            where = "no block yet" if made_by.height is None else f"block {made_by.height}"
            yield one.seq, f"{one.txid} spends {spent.outpoint} in block {height}, and that coin is of {where}"
        elif made_by.is_coinbase and height - made_by.height < COINBASE_MATURITY:
            yield (
                one.seq,
                f"{one.txid} spends {spent.outpoint} in block {height}, and that reward of block {made_by.height} "
                "was not ripe",
            )
