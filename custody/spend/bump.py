"""Replacing a proposal, taking it back, and paying for a stuck inflow: requests for a draft.

A bump pays the same outputs again with a higher fee, out of its change or out of further
confirmed coins. A cancel conflicts with what it cancels and has one output, to ourselves. A
child spends an unconfirmed coin of ours and pays for its parents too. All are new proposals
that need approvals of their own. Pure functions: what the mempool holds is an argument.
Source: BIP 125, rules 3 and 4; full replacement no longer asks for the signal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from custody.bitcoin.amount import FeeRate, Sats, sats, sum_sats
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import Conflict, Finding, Severity
from custody.spend.coin_selection import FeeTarget
from custody.spend.draft import DraftRequest, Payee
from custody.spend.proposal import Proposal, ProposalKind
from custody.spend.utxo import Coin, outpoint_order

INCREMENTAL_RELAY = FeeRate(1_000)
"""Bitcoin Core's -incrementalrelayfee up to version 29; newer nodes ask for a tenth of it."""

_NO_FEE = Sats(0)


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a replacement has to know about what it replaces."""

    chain: tuple[Proposal, ...]
    """The proposals that share coins, oldest first: the original, then each that replaced it."""
    final_txids: frozenset[str]
    """Txids that the transactions of `chain` have when finished."""
    descendant_fees: Sats = _NO_FEE
    """Fees of every other transaction in the mempool that would be evicted."""

    @property
    def newest(self) -> Proposal:
        """The proposal that is replaced by name."""
        return self.chain[-1]

    @property
    def claims(self) -> frozenset[str]:
        """Proposal ids and txids whose claim on coins the replacement takes over."""
        return frozenset(proposal.proposal_id for proposal in self.chain) | self.final_txids

    def fee_target(self, rate: FeeRate) -> FeeTarget:
        """Return the fee that a replacement pays: more than all it evicts, plus its own relay."""
        # Any of the chain may be the one in somebody's mempool: the dearest counts.
        highest = max(proposal.fee for proposal in self.chain)
        return FeeTarget(rate, sum_sats((highest, self.descendant_fees)), INCREMENTAL_RELAY)


@dataclass(frozen=True, slots=True)
class Fresh:
    """What every new proposal needs from outside: nonce, expiry and who drafts it."""

    nonce: str
    expires: str
    change_index: int
    """The next free one; a replacement keeps the one it has."""
    reason: str | None = None
    drafter: str | None = None


def plan_bump(replacement: Replacement, rate: FeeRate, fresh: Fresh) -> DraftRequest:
    """Pay the same destinations at a higher rate, out of change or further confirmed coins.

    Every input of the replaced proposal is kept, so that the two can never both confirm.

    Raises:
        Conflict: NOT_BUMPABLE if there is no payment in it, or the rate is not higher.
    """
    original = replacement.newest
    if not original.destinations:
        raise _not_bumpable("it pays nobody", "Draft another cancel at a higher fee rate instead.")
    if rate <= original.fee_rate:
        raise _not_bumpable(
            f"the new rate of {rate.sat_vb} sat/vB is not above {original.fee_rate.sat_vb} sat/vB",
            "Ask for a higher fee rate.",
        )
    payees = tuple(Payee(one.address, one.value) for one in original.destinations)
    request = _request(ProposalKind.BUMP, payees, replacement.fee_target(rate), fresh)
    return replace(_replacing(request, replacement), required=original.inputs)


def plan_cancel(replacement: Replacement, coins: Sequence[Coin], rate: FeeRate, fresh: Fresh) -> DraftRequest:
    """Take a proposal back: spend one coin that all of its versions spend, to ourselves.

    The most valuable such coin is taken: it certainly pays the fee. The others come free
    once the cancel is buried.

    Raises:
        Conflict: NOT_BUMPABLE when no coin is common to all versions and still unspent.
    """
    common = set(replacement.newest.inputs)
    for proposal in replacement.chain:
        common &= set(proposal.inputs)
    usable = [coin for coin in coins if coin.outpoint in common]
    if not usable:
        raise _not_bumpable("no coin that it spends is left", "Run `coins sync`: it may be settled already.")
    coin = min(usable, key=lambda one: (-one.value, outpoint_order(one)))
    request = _request(ProposalKind.CANCEL, (), replacement.fee_target(rate), fresh)
    return replace(_replacing(request, replacement), named=(coin.outpoint,))


def plan_child(
    outpoints: tuple[OutPoint, ...], rate: FeeRate, fresh: Fresh, *, package_vsize: int, package_fee: Sats
) -> DraftRequest:
    """Pay for stuck transactions by spending their unconfirmed outputs to ourselves.

    `package_vsize` and `package_fee` sum over all unconfirmed ancestors of these coins. The
    child's fee lifts the whole package to `rate`, and the child alone is never below it.
    """
    fee = FeeTarget(rate, package_vsize=package_vsize, package_fee=sats(package_fee))
    return replace(_request(ProposalKind.INTERNAL, (), fee, fresh), named=outpoints)


def eviction_findings(txids: Sequence[str], expected: frozenset[str]) -> tuple[Finding, ...]:
    """Return a warning for each transaction that a replacement evicts besides those it names."""
    return tuple(
        Finding(
            Code.EVICTS_TRANSACTIONS,
            Severity.WARN,
            txid,
            f"transaction {txid} leaves the mempool with the one that is replaced",
            "Ask whoever made it: what it pays has to be paid again.",
        )
        for txid in sorted(set(txids) - expected)
    )


def payee_findings(original: Proposal, replacement: Proposal) -> tuple[Finding, ...]:
    """Compare a replacement's outputs with those it replaces: same payees and amounts, or a cancel.

    The second look at what `plan_bump` and `plan_cancel` promise, on the finished proposals.
    """
    wanted = sorted((one.address, one.value) for one in original.destinations)
    got = sorted((one.address, one.value) for one in replacement.destinations)
    outputs = len(replacement.unsigned_transaction.outputs)
    is_cancel = replacement.kind is ProposalKind.CANCEL and not got and outputs == 1
    conflicts = bool(set(original.inputs) & set(replacement.inputs))
    if conflicts and (is_cancel or got == wanted):
        return ()
    return (
        Finding(
            Code.REPLACEMENT_CHANGES_PAYEE,
            Severity.REFUSE,
            "tx",
            "a replacement pays others than what it replaces, or spends none of its coins",
            "Do not sign; draft a payment of its own for a new payee.",
        ),
    )


def _request(kind: ProposalKind, payees: tuple[Payee, ...], fee: FeeTarget, fresh: Fresh) -> DraftRequest:
    return DraftRequest(
        kind,
        payees,
        fee,
        fresh.nonce,
        fresh.expires,
        fresh.change_index,
        reason=fresh.reason,
        drafter=fresh.drafter,
    )


def _replacing(request: DraftRequest, replacement: Replacement) -> DraftRequest:
    original = replacement.newest
    kept = original.change[0].index if original.change else request.change_index
    return replace(
        request,
        change_index=kept,
        replaced=replacement.claims,
        replaces=original.proposal_id,
        reason=request.reason if request.reason is not None else original.reason,
    )


def _not_bumpable(message: str, advice: str) -> Conflict:
    return Conflict(Code.NOT_BUMPABLE, f"the proposal can't be replaced: {message}", advice=advice)
