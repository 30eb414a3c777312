"""What the journal's observations say about our coins, addresses and outflows.

Derived from a `State` alone: coins are the outputs of ours that no known transaction spends
(one that waits in a mempool marks its coins as spent by it). Set aside are small coins that
nobody announced. An outflow is explained by a proposal of ours, by somebody's acceptance, or
as accepted prior history; any other is UNEXPLAINED_OUTFLOW.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from custody.audit.journal_fields import altered
from custody.audit.proposal_state import holders_of_coins, reserved_change_indexes
from custody.audit.state import PriorHistory, SeenTransaction, State
from custody.bitcoin.amount import Sats, sum_sats
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import Conflict
from custody.spend.utxo import Coin
from custody.vault.vault import Vault

SMALL_COIN = Sats(10_000)
"""An unannounced coin up to this value is set aside: advertising dust and probes come in below it, and
spending it costs a good part of it."""


@dataclass(frozen=True, slots=True)
class OwnOutput:
    """An output of ours, spent or not."""

    value: Sats
    script_pubkey: bytes
    branch: int
    index: int
    made_by: SeenTransaction


@dataclass(frozen=True, slots=True)
class Outflow:
    """A transaction that spends our coins, with the proposal that explains it if one does."""

    transaction: SeenTransaction
    proposal_id: str | None
    is_accepted: bool

    @property
    def is_explained(self) -> bool:
        """Whether a proposal or a person explains it."""
        return self.proposal_id is not None or self.is_accepted

    @property
    def spent(self) -> Sats:
        """Sum of our coins that it spends."""
        return sum_sats(one.value for one in self.transaction.inputs)

    @property
    def left_us(self) -> int:
        """What did not come back: other outputs and fee, as far as all inputs are ours."""
        returned = sum(output.value for output in self.transaction.outputs if output.place is not None)
        return self.spent - returned


@dataclass(frozen=True, slots=True)
class Balance:
    """Sums over the coins, in satoshis."""

    total: Sats
    """Every coin in a block, frozen, set aside and immature ones included."""
    spendable: Sats
    """What a draft could use now."""
    unconfirmed: Sats
    """Coins that are in no block yet; in no other sum."""


def known_outputs(state: State) -> Mapping[OutPoint, OwnOutput]:
    """Return every output of ours that a known transaction makes, spent or not."""
    return {
        OutPoint(seen.txid, vout): OwnOutput(output.value, output.script_pubkey, *output.place, seen)
        for seen in state.transactions.values()
        for vout, output in enumerate(seen.outputs)
        if output.place is not None
    }


def known_output(state: State, outpoint: OutPoint) -> OwnOutput | None:
    """Return one output of ours, spent or not, None where no known transaction makes it."""
    seen = state.transactions.get(outpoint.txid)
    if seen is None or outpoint.vout >= len(seen.outputs):
        return None
    output = seen.outputs[outpoint.vout]
    return None if output.place is None else OwnOutput(output.value, output.script_pubkey, *output.place, seen)


def outputs_paying(state: State, scripts: Collection[bytes]) -> Mapping[bytes, list[tuple[OutPoint, OwnOutput]]]:
    """Return every output of ours at these scripts, by script: without building all others."""
    found: dict[bytes, list[tuple[OutPoint, OwnOutput]]] = {script: [] for script in scripts}
    for seen in state.transactions.values():
        for vout, output in enumerate(seen.outputs):
            if output.place is not None and output.script_pubkey in found:
                own = OwnOutput(output.value, output.script_pubkey, *output.place, seen)
                found[output.script_pubkey].append((OutPoint(seen.txid, vout), own))
    return found


def owned_coins(state: State) -> tuple[Coin, ...]:
    """Return the coins, in the order of their blocks and outpoints; one spent in a block is none."""
    outputs = known_outputs(state)
    spenders = _spenders(state)
    holders = holders_of_coins(state)
    uses = _uses(outputs)
    announced = {issued.index for issued in state.issued}
    coins = []
    for outpoint, own in outputs.items():
        spender = spenders.get(outpoint)
        if spender is not None and spender.block_hash is not None:
            continue
        is_first = uses[own.branch, own.index][0] == outpoint
        coins.append(
            Coin(
                outpoint=outpoint,
                value=own.value,
                script_pubkey=own.script_pubkey,
                branch=own.branch,
                index=own.index,
                height=own.made_by.height,
                block_hash=own.made_by.block_hash,
                is_coinbase=own.made_by.is_coinbase,
                label=_label(state, outpoint),
                is_frozen=outpoint in state.frozen,
                is_set_aside=_is_set_aside(state, outpoint, own, announced, is_first=is_first),
                reserved_by=holders.get(outpoint, ()),
                spent_by=None if spender is None else spender.txid,
            )
        )
    return tuple(sorted(coins, key=_coin_order))


def balance(state: State) -> Balance:
    """Return the sums over the coins at the last observation."""
    coins = owned_coins(state)
    height = 0 if state.tip is None else state.tip.height
    return Balance(
        total=sum_sats(coin.value for coin in coins if coin.height is not None),
        spendable=sum_sats(coin.value for coin in coins if not coin.hold_reasons(height)),
        unconfirmed=sum_sats(coin.value for coin in coins if coin.height is None and coin.spent_by is None),
    )


def next_index(state: State, branch: Branch) -> int:
    """Return the lowest index above all that were handed out, reserved, or seen used on the branch."""
    used = [own.index for own in known_outputs(state).values() if own.branch == branch]
    if branch is Branch.RECEIVE:
        used += [issued.index for issued in state.issued]
    else:
        used += reserved_change_indexes(state)
    return max(used, default=-1) + 1


def last_used_index(state: State) -> int:
    """Return the highest index in use on either branch, -1 before the first."""
    return max(next_index(state, branch) for branch in Branch) - 1


def outflows(state: State) -> tuple[Outflow, ...]:
    """Return every known transaction that spends coins of ours, blocks first."""
    explained_by = {record.final_txid: record.proposal_id for record in state.proposals.values()}
    prior_accepted = state.prior_history is not None
    return tuple(
        Outflow(
            seen,
            explained_by.get(seen.txid),
            seen.txid in state.explained or (seen.before_first_complete_sync and prior_accepted),
        )
        for seen in sorted(state.transactions.values(), key=_chain_order)
        if seen.is_outflow
    )


def unexplained_outflows(state: State) -> tuple[Outflow, ...]:
    """Return the outflows that no proposal and no person explains."""
    return tuple(outflow for outflow in outflows(state) if not outflow.is_explained)


def prior_outflows(state: State) -> tuple[Outflow, ...]:
    """Return the unexplained outflows from before the first complete sync: accepted by count and sum."""
    return tuple(one for one in unexplained_outflows(state) if one.transaction.before_first_complete_sync)


def prior_total(state: State) -> PriorHistory:
    """Return count and sum of the prior outflows: what a person is shown once and accepts, or not."""
    prior = prior_outflows(state)
    return PriorHistory(len(prior), sum_sats(max(0, one.left_us) for one in prior))


def require_unspent(state: State, outpoints: Iterable[OutPoint]) -> None:
    """Demand that each outpoint is a coin of ours that no block spends.

    Raises:
        Conflict: COIN_SPENT, or COIN_UNKNOWN for an output that was never ours.
    """
    unspent = {coin.outpoint for coin in owned_coins(state)}
    known = known_outputs(state)
    for outpoint in outpoints:
        if outpoint not in unspent:
            is_known = outpoint in known
            raise Conflict(
                Code.COIN_SPENT if is_known else Code.COIN_UNKNOWN,
                f"coin `{outpoint}` {'is spent' if is_known else 'is not known as one of the vault'}",
                advice="Run `coins sync`, then `coins list`, and copy the outpoint from there.",
            )


def coins_of(state: State, vault: Vault) -> tuple[Coin, ...]:
    """Return the coins after deriving each one's script again: what a journal claims as ours must be ours.

    Raises:
        Altered: a coin's script is not what the vault derives at its place.
    """
    deriver = vault.deriver
    coins = owned_coins(state)
    for coin in coins:
        if deriver.at(coin.branch, coin.index).script_pubkey != coin.script_pubkey:
            raise altered(f"coin {coin.outpoint} is journalled at a place that the vault does not derive")
    return coins


def _spenders(state: State) -> dict[OutPoint, SeenTransaction]:
    """Return who spends each coin; a transaction in a block counts before one in a mempool."""
    spenders: dict[OutPoint, SeenTransaction] = {}
    for seen in sorted(state.transactions.values(), key=_chain_order):
        for spent in seen.inputs:
            spenders.setdefault(spent.outpoint, seen)
    return spenders


def _uses(outputs: Mapping[OutPoint, OwnOutput]) -> dict[tuple[int, int], list[OutPoint]]:
    """Return the outpoints that paid each place, in the order of the chain."""
    uses: dict[tuple[int, int], list[OutPoint]] = {}
    ordered = sorted(outputs.items(), key=lambda item: (*_chain_order(item[1].made_by), item[0].vout))
    for outpoint, own in ordered:
        uses.setdefault((own.branch, own.index), []).append(outpoint)
    return uses


def _is_set_aside(state: State, outpoint: OutPoint, own: OwnOutput, announced: set[int], *, is_first: bool) -> bool:
    if own.value > SMALL_COIN or outpoint in state.taken_in:
        return False
    if own.made_by.is_outflow:
        return False  # our own change
    is_awaited = own.branch == Branch.RECEIVE and own.index in announced and is_first
    return not is_awaited


def _label(state: State, outpoint: OutPoint) -> str | None:
    record = state.labels.get(("output", str(outpoint)))
    return None if record is None else record.label


def _chain_order(seen: SeenTransaction) -> tuple[int, int, str]:
    return (1, 0, seen.txid) if seen.height is None else (0, seen.height, seen.txid)


def _coin_order(coin: Coin) -> tuple[int, int, str, int]:
    height = (1, 0) if coin.height is None else (0, coin.height)
    return (*height, coin.outpoint.txid, coin.outpoint.vout)
