"""Hand out the next receive address: reserved in the journal, derived by both engines.

The index is one above every receive index that was handed out or seen used on the chain, so
that a second coordinator of the same vault doesn't cause reuse.
"""

from dataclasses import dataclass

from custody.audit.chain_view import next_index
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.second_opinion import SecondOpinion, require_same_scripts
from custody.errors import JsonValue
from custody.vault.vault import Vault
from custody.workflow.attest import require_attested
from custody.workflow.governance import require_governed_or_waived
from custody.workflow.office import Desk, Event


@dataclass(frozen=True, slots=True)
class IssuedAddress:
    """A receive address that the journal reserved."""

    address: str
    index: int


def issue_address(desk: Desk, *, label: str | None) -> IssuedAddress:
    """Reserve and return the next receive address; it is returned only after the journal holds it.

    Raises:
        PolicyDenied: NO_POLICY_ADOPTED on main, unless the vault was made `--ungoverned`.
        NotYet: ATTESTATION_MISSING where the policy asks the custodians to attest.
        CheckFailed: ENGINES_DISAGREE.
    """
    issued, event = prepare_address(desk, label=label)
    desk.record([event])
    return issued


def prepare_address(desk: Desk, *, label: str | None) -> tuple[IssuedAddress, Event]:
    """Return the next receive address and the entry that reserves it, for a step that records more with it.

    Raises:
        as `issue_address`.
    """
    require_governed_or_waived(desk.state, desk.vault.network)
    require_attested(desk.state.governance, desk.vault)
    index = next_index(desk.state, Branch.RECEIVE)
    address = checked_address(desk.vault, Branch.RECEIVE, index)
    body: dict[str, JsonValue] = {
        "branch": Branch.RECEIVE.label,
        "index": index,
        "address": address,
        "label": label,
    }
    return IssuedAddress(address, index), ("address_issued", body)


def checked_address(vault: Vault, branch: Branch, index: int) -> str:
    """Return the address at `branch`/`index` after both engines derived the same script.

    Raises:
        CheckFailed: ENGINES_DISAGREE.
    """
    second = SecondOpinion(vault.descriptor_text, vault.network)
    position = vault.descriptor.branches.index(branch)
    require_same_scripts(
        [vault.deriver.at(branch, index).script_pubkey],
        [second.script_pubkey_at(position, index)],
        what=f"the {branch.label} address at index {index}",
    )
    address = vault.address_at(branch, index)
    require_same_scripts(
        [address.encode()],
        [second.address_at(position, index).encode()],
        what=f"the {branch.label} address at index {index}",
    )
    return address
