"""Receive addresses that officers attest to payers: what the journal says of each, and what counts.

Terms count only for an address that was handed out and derives from the vault, and ask for no
fewer officers than the rule; signatures only by officers in force, each person once; a proof only
if it is valid beyond doubt.
"""

from dataclasses import dataclass

from custody.audit.governance import GovernanceState
from custody.bitcoin.descriptor import Branch
from custody.people.receive import ReceiveTerms
from custody.vault.vault import Vault

USUAL_NEEDED = 2


@dataclass(frozen=True, slots=True)
class ReceiveSignature:
    """An officer's signature that was good at its own position."""

    officer: str
    key: bytes
    """Blob of the officer's key: a revoked one speaks for nobody any more."""
    signature: str
    seq: int


@dataclass(frozen=True, slots=True)
class ReceiveRecord:
    """All that the journal says of one attested address."""

    terms: ReceiveTerms
    seq: int
    signatures: tuple[ReceiveSignature, ...] = ()
    proof: str | None = None
    """The newest BIP 322 signature that was valid."""

    def in_force(self, gov: GovernanceState) -> tuple[ReceiveSignature, ...]:
        """Return the signatures whose officers are in force with the same key."""
        keys = {name: one.key.blob for name, one in gov.officers.items()}
        return tuple(one for one in self.signatures if keys.get(one.officer) == one.key)


def officers_needed(gov: GovernanceState) -> int:
    """Return how many different officers attest an address: two, or one where there is only one.

    Two people are never the drafter alone. No section of a policy speaks of this yet.
    """
    return min(USUAL_NEEDED, max(1, len(gov.officers)))


def terms_problem(terms: ReceiveTerms, gov: GovernanceState, vault: Vault, handed_out: str | None) -> str | None:
    """Return why the terms count for nothing, None if they count; `handed_out` is the address at that index."""
    if (terms.vault, terms.vault_id, terms.network) != (vault.name, vault.vault_id, vault.network):
        return "it is for another vault or network"
    if handed_out != terms.address:
        return f"the address at index {terms.index} was not handed out, or is another one"
    if vault.address_at(Branch.RECEIVE, terms.index) != terms.address:
        return f"the vault's receive address {terms.index} is another one"
    if terms.drafter not in gov.officers:
        return f"`{terms.drafter}` is no officer in force"
    if gov.head != terms.governance:
        return f"it names governance statement {terms.governance.number}, which is not the newest"
    if terms.needed < officers_needed(gov):
        return f"it asks for {terms.needed} officers, the rule is {officers_needed(gov)}"
    return None


def signer_problem(record: ReceiveRecord, gov: GovernanceState, name: str) -> str | None:
    """Return why a signature under this name would count for nothing, None if it can count."""
    officer = gov.officers.get(name)
    if officer is None:
        return f"`{name}` is no officer in force"
    if any(one.key == officer.key.blob for one in record.signatures):
        return f"`{name}` signed this before"
    return None
