"""What governance asks of the steps: no address and no draft on main without it, and who may draft under it."""

from dataclasses import replace

from custody.audit.governance import GovernanceState
from custody.audit.state import State
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CheckFailed, PolicyDenied, UsageError
from custody.people.officer import DRAFTER
from custody.policy.sections import section_for
from custody.spend.draft import DraftRequest
from custody.spend.expiry import DEFAULT_LIFETIME_S, format_time
from custody.spend.proposal import ProposalKind

TIME_TOLERANCE_S = 7_200
"""A reorganization takes the median time past back by some blocks, never by hours."""


def require_governed_or_waived(state: State, network: Network) -> None:
    """Refuse on main until a policy is adopted, unless the adoption says `--ungoverned`.

    A vault that was restored without its journal is refused on every network: its policy may say no, and its next
    index may have been handed out. So a drill on a test network shows what the real day brings.

    Raises:
        PolicyDenied: NO_POLICY_ADOPTED, GOVERNANCE_UNKNOWN.
    """
    lost = state.lost_journal
    if lost is not None and state.is_governance_unknown:
        raise PolicyDenied(
            Code.GOVERNANCE_UNKNOWN,
            "the vault was restored without its journal: governance is `unknown`, and so is what was handed out before",
            advice="Restore a backup with the journal into another folder; if there is none, found the vault anew with "
            "`custody vault found`.",
            details={} if lost.head is None else {"lost_head": lost.head},
        )
    if network.is_main and not state.ungoverned and not state.governance.is_founded:
        raise PolicyDenied(
            Code.NO_POLICY_ADOPTED,
            "no spend policy is adopted: governance is `none`",
            advice="Found it with `custody vault found`, or create or import the vault with --ungoverned if it is "
            "meant to work without a written policy.",
        )


def require_drafter(gov: GovernanceState, actor: str | None) -> None:
    """Under a policy, demand that whoever drafts is an officer with the role: their signed propose must follow.

    Raises:
        UsageError: nobody is named. CheckFailed: APPROVER_NOT_AUTHORISED.
    """
    if not gov.is_founded:
        return
    if actor is None:
        raise UsageError(
            Code.USAGE,
            "nobody is named who drafts",
            advice="Say who you are with --as NAME, or `officer: NAME` in custody.yaml.",
        )
    officer = gov.officers.get(actor)
    if officer is None or DRAFTER not in officer.roles:
        able = ", ".join(gov.officer_with(DRAFTER)) or "nobody"
        raise CheckFailed(
            Code.APPROVER_NOT_AUTHORISED,
            f"`{actor}` is no officer in force with the role {DRAFTER}",
            advice=f"Those who can draft: {able}.",
        )


def under_policy(state: State, request: DraftRequest) -> DraftRequest:
    """Return the request as the journal and the policy in force want it.

    That is with the txid of what it replaces, the policy's digest, and coins as deep as it asks for.
    """
    if request.replaces is not None:
        request = replace(request, replaces_txid=state.proposals[request.replaces].final_txid)
    policy = state.governance.policy
    if policy is None:
        return request
    section = section_for(policy, request.kind, request.policy_path)
    depth = request.depth if section is None else max(request.depth, section.transaction.confirmations)
    return replace(request, policy_digest=policy.digest, depth=depth)


def default_expiry(state: State, kind: ProposalKind, path: str | None, now: int) -> str:
    """Return when a proposal expires that names no time: in 14 days, sooner where the policy says so."""
    policy = state.governance.policy
    section = None if policy is None else section_for(policy, kind, path)
    life = DEFAULT_LIFETIME_S if section is None else min(DEFAULT_LIFETIME_S, section.transaction.expiry)
    return format_time(now + life)


def time_ahead(gov: GovernanceState, median_time_past: int) -> tuple[str, ...]:
    """Return why a view of the chain can't be relied on: the journal claims a later time than it shows.

    Waiting times and expiry go by the highest time that any entry saw, and whoever can append could
    write a false one. A node of one's own that is hours behind it is behind, or the entry is false.
    """
    ahead = gov.time - median_time_past
    if not gov.is_founded or ahead <= TIME_TOLERANCE_S:
        return ()
    return (
        f"an entry of the journal saw the chain's time {format_time(gov.time)}, and this view only "
        f"{format_time(median_time_past)}: the node is behind, or somebody wrote a false time",
    )
