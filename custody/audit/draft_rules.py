"""What an entry says of a draft, derived again before any of it is believed.

A draft's entry has no signature: whoever can append could write one. What in it needs the vault or
other proposals to be true (that change is ours, that a move stays with us, what it replaces, the
next index) is checked here; one that lies counts for nothing, and neither does what follows it.
"""

from custody.audit.state import ProposalRecord
from custody.bitcoin.address import script_of
from custody.bitcoin.derivation import find_script
from custody.bitcoin.descriptor import Branch
from custody.spend.proposal import Proposal, ProposalKind
from custody.spend.replacement_rules import relation_problem
from custody.vault.vault import Vault

_SEARCHED = 1_000
"""Indexes above the highest in use at which an own destination is looked for."""

_OURS = (ProposalKind.INTERNAL, ProposalKind.CANCEL)


def draft_problem(
    proposal: Proposal, vault: Vault, replaced: ProposalRecord | None, highest: dict[int, int]
) -> str | None:
    """Return why a draft can't be one of this program's, None if nothing contradicts it.

    `highest` has the highest index in use on each branch, -1 before the first.
    """
    problem = _change_problem(proposal, vault, replaced, highest)
    if problem is None and proposal.kind in _OURS and not _stays(proposal, vault, highest):
        problem = f"a proposal of kind `{proposal.kind}` pays somebody"
    if problem is not None:
        return problem
    if replaced is None:
        return relation_problem(proposal, None, None)
    return relation_problem(proposal, replaced.proposal, replaced.final_txid)


def _change_problem(
    proposal: Proposal, vault: Vault, replaced: ProposalRecord | None, highest: dict[int, int]
) -> str | None:
    kept = {one.index for one in replaced.proposal.change} if replaced is not None else set()
    for one in proposal.change:
        if one.branch not in vault.descriptor.branches:
            return f"change goes to branch {one.branch}, which the vault doesn't have"
        if one.index > highest[one.branch] + 1 and one.index not in kept:
            return f"change goes to index {one.index}, the next one is {highest[one.branch] + 1}"
        if vault.address_at(one.branch, one.index) != one.address:
            return f"what it calls change is not the vault's: {one.address}"
    return None


def _stays(proposal: Proposal, vault: Vault, highest: dict[int, int]) -> bool:
    """Tell whether every destination is an address of the vault."""
    scripts = {script_of(one.address, vault.network) for one in proposal.destinations}
    counts = {int(one): highest[int(one)] + 1 + _SEARCHED for one in Branch if one in vault.descriptor.branches}
    return len(find_script(vault.deriver, scripts, counts=counts)) == len(scripts)


def stays_with_us(chain: tuple[ProposalRecord, ...]) -> bool:
    """Tell whether the newest of a chain moves coins to ourselves alone: a bump does what it bumps does."""
    for record in reversed(chain):
        if record.proposal.kind is not ProposalKind.BUMP:
            return record.proposal.kind in _OURS
    return False
