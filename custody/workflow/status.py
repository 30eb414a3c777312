"""What an officer has to know first: what nobody explained, who is awaited, what can still be spent."""

from dataclasses import dataclass

from custody.audit.chain_view import Outflow, prior_total, unexplained_outflows
from custody.audit.governance import ChangeStatus
from custody.audit.proposal_state import LIVE, ProposalState
from custody.audit.state import PriorHistory, State
from custody.bitcoin.address import address_of
from custody.bitcoin.network import Network
from custody.errors import JsonValue
from custody.ports import Clock
from custody.workflow.change_governance import ChangeView, view_change
from custody.workflow.decide import unapproved_outflows
from custody.workflow.list_coins import CoinList, ListedCoin, list_coins
from custody.workflow.office import Office
from custody.workflow.proposal_view import ProposalView, view_proposal
from custody.workflow.receive_view import ReceiveView, open_receives

_SHOWN = LIVE | {ProposalState.BROADCAST, ProposalState.MINED, ProposalState.STILL_SPENDABLE}

_UNDER_WAY = (ChangeStatus.PENDING, ChangeStatus.WAITING)

GOVERNANCE_UNKNOWN = "unknown"
"""What governs a vault that was restored without its journal."""

_BLOCK_S = 600
_MEDIAN_LAG = 6


@dataclass(frozen=True, slots=True)
class Status:
    """The office at one head of the journal."""

    vault_name: str
    network: str
    governance: str
    """`none`, or the policy in force in words."""
    suspended_by: str | None
    changes: tuple[ChangeView, ...]
    """Changes of governance that wait for signatures or for their time."""
    receives: tuple[ReceiveView, ...]
    """Addresses for payers that wait for an officer's signature."""
    coins: CoinList
    proposals: tuple[ProposalView, ...]
    """Those that somebody has to think of."""
    taken_back: tuple[str, ...]
    """Txids of payments that were in a block and are in none any more."""
    unexplained: tuple[tuple[Outflow, tuple[str, ...]], ...]
    """Outflows that no proposal explains, each with the addresses that it pays."""
    prior: PriorHistory
    tip_age_blocks: int | None
    """About how many blocks the last sync lies back, by this machine's clock; None where blocks keep no pace."""

    @property
    def set_aside(self) -> tuple[ListedCoin, ...]:
        """Small coins that nobody announced."""
        return tuple(one for one in self.coins.coins if one.coin.is_set_aside)

    @property
    def exit_code(self) -> int:
        """3 for an unexplained outflow, 9 for an incomplete view, else 0."""
        if self.unexplained:
            return 3
        return 0 if self.coins.is_complete else 9

    def to_json(self) -> dict[str, JsonValue]:
        """Return everything as one document."""
        listed = self.coins.to_json()
        del listed["coins"]
        return {
            "vault": self.vault_name,
            "network": self.network,
            "governance": self.governance,
            "suspended_by": self.suspended_by,
            "changes": [view.to_json() for view in self.changes],
            "attestations": [view.to_json() for view in self.receives],
            **listed,
            "tip_age_blocks": self.tip_age_blocks,
            "set_aside": [str(one.coin.outpoint) for one in self.set_aside],
            "proposals": [
                {
                    "proposal_id": view.proposal_id,
                    "state": str(view.state),
                    "confirm_sats": view.amount_to_confirm,
                    "signing": view.review.signing.to_json(),
                    "awaited": _awaited(view),
                    "approved_by": [*view.approved_by],
                    "decision": view.decision.to_json(),
                    "still_spendable": view.state is ProposalState.STILL_SPENDABLE,
                    "destinations": [
                        {"address": one.address, "value_sats": one.value} for one in view.record.proposal.destinations
                    ],
                    "expires": view.record.proposal.expires,
                    "next": next_step(view),
                }
                for view in self.proposals
            ],
            "taken_back": [*self.taken_back],
            "unexplained_outflows": [
                {
                    "code": "UNEXPLAINED_OUTFLOW",
                    "txid": outflow.transaction.txid,
                    "height": outflow.transaction.height,
                    "left_us_sats": outflow.left_us,
                    "addresses": [*addresses],
                    "accept": f"custody coins accept {outflow.transaction.txid} --reason TEXT",
                }
                for outflow, addresses in self.unexplained
            ],
            "prior_history": {"count": self.prior.count, "sum_sats": self.prior.sum},
        }


def status_of(office: Office, clock: Clock) -> Status:
    """Return the status from the journal alone; the chain is asked by `coins sync`."""
    state = office.state
    gov = state.governance
    views = (view_proposal(state, office.vault, record) for record in state.proposals.values())
    return Status(
        vault_name=office.vault.name,
        network=str(office.vault.network),
        governance=governance_words(state),
        suspended_by=gov.suspended_by,
        changes=tuple(view_change(office, one) for one in gov.changes.values() if one.status in _UNDER_WAY),
        receives=open_receives(state),
        coins=list_coins(office),
        proposals=tuple(view for view in views if view.state in _SHOWN),
        taken_back=_taken_back(office),
        unexplained=tuple((outflow, _payees(office, outflow)) for outflow in _unexplained(office)),
        prior=prior_total(state),
        tip_age_blocks=_tip_age(office, clock),
    )


def governance_words(state: State) -> str:
    """Return what governs the vault, in a few words."""
    policy = state.governance.policy
    if state.is_governance_unknown:
        return GOVERNANCE_UNKNOWN
    if policy is None:
        return "none, ungoverned" if state.ungoverned else "none"
    return f"policy {policy.name} version {policy.version}, {len(state.governance.officers)} officers"


def next_step(view: ProposalView) -> str:
    """Return what somebody runs next for a proposal."""
    short = view.proposal_id[:16]
    if view.state is ProposalState.STILL_SPENDABLE:
        return f"custody proposal cancel {short} --fee-rate N"
    if view.state is ProposalState.FINALIZED:
        return f"custody proposal broadcast {short}"
    if view.state is ProposalState.SIGNED:
        return f"custody proposal finalize {short}"
    if view.state in LIVE:
        if view.record.proposal.policy_digest is not None and view.record.proposed_by is None:
            return f"custody proposal approve {short} --propose --key FILE --as {view.record.proposal.drafter}"
        if any(one.sources for one in view.decision.missing):
            return f"custody proposal approve {short} --key FILE --as NAME"
        if view.decision.is_denied or view.decision.missing:
            return f"custody policy explain --proposal {short}"
        if view.state is not ProposalState.DRAFT:
            return "custody proposal add FILE"
        return f"custody proposal export {short} -o FILE"
    return "custody coins sync"


def _unexplained(office: Office) -> tuple[Outflow, ...]:
    """Return what no proposal explains, and what only a proposal without its approvals does."""
    return (*unexplained_outflows(office.state), *unapproved_outflows(office.state, office.vault))


def _awaited(view: ProposalView) -> list[JsonValue]:
    return [] if view.review.signing.is_complete else [*view.review.signing.unsigned]


def _tip_age(office: Office, clock: Clock) -> int | None:
    tip = office.state.tip
    if tip is None or office.vault.network is Network.REGTEST:
        return None
    # The median time past lies about six blocks behind the newest block.
    return max(0, (clock.now() - tip.median_time_past) // _BLOCK_S - _MEDIAN_LAG)


def _payees(office: Office, outflow: Outflow) -> tuple[str, ...]:
    return tuple(
        address_of(output.script_pubkey, office.vault.network) or output.script_pubkey.hex()
        for output in outflow.transaction.outputs
        if output.place is None
    )


def _taken_back(office: Office) -> tuple[str, ...]:
    """Return our transactions that some entry saw in a block and that no block holds now."""
    now = {txid for txid, seen in office.state.transactions.items() if seen.block_hash is not None}
    once: dict[str, None] = {}
    for entry in office.entries:
        seen = entry.body.get("transactions") if entry.kind == "chain_observed" else None
        for item in seen if isinstance(seen, list) else ():
            if isinstance(item, dict) and item.get("block_hash") is not None:
                once[str(item.get("txid"))] = None
    return tuple(txid for txid in once if txid not in now)
