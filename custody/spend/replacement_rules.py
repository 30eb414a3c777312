"""What a proposal that replaces another must be: judged from the two documents, whoever wrote them.

`kind` and `replaces` choose an easier section of a policy and merge payments into one set for its
limits. So they are never believed: a bump pays the same payees from a coin of what it replaces, a
cancel spends nothing but its coins, to ourselves. Only what shares a coin can never confirm twice.
"""

from custody.spend.proposal import Proposal, ProposalKind


def relation_problem(proposal: Proposal, replaced: Proposal | None, replaced_final_txid: str | None) -> str | None:
    """Return why the proposal isn't the replacement that it says, None if it is one or replaces nothing.

    `replaced` is the proposal that `proposal.replaces` names, with the txid of its finished transaction.
    """
    if replaced is None:
        if proposal.kind in (ProposalKind.BUMP, ProposalKind.CANCEL):
            return f"a {proposal.kind} replaces nothing"
        return None if proposal.replaces_txid is None else "it names a transaction that it replaces, and no proposal"
    if proposal.replaces_txid not in (None, replaced_final_txid):
        return "the txid that it says it replaces is not that of the proposal that it replaces"
    if proposal.policy_digest is not None and proposal.replaces_txid is None:
        return "it doesn't say which transaction it replaces"
    shared = set(proposal.inputs) & set(replaced.inputs)
    match proposal.kind:
        case ProposalKind.BUMP if not shared:
            return "a bump shares no coin with what it replaces: both could be paid"
        case ProposalKind.BUMP if _payees(proposal) != _payees(replaced):
            return "a bump pays others than what it replaces"
        case ProposalKind.CANCEL if shared != set(proposal.inputs):
            return "a cancel spends a coin that what it cancels doesn't"
        case ProposalKind.CANCEL if proposal.destinations or len(proposal.change) != 1:
            return "a cancel pays somebody, or not exactly one output of ours"
        case _:
            return None


def _payees(proposal: Proposal) -> list[tuple[str, int]]:
    return sorted((one.address, one.value) for one in proposal.destinations)
