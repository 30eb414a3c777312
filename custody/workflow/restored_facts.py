"""What a restored vault knows, counted: what a person holds against the old vault's figures."""

from dataclasses import dataclass

from custody.audit.proposal_state import LIVE, ProposalState, proposal_states
from custody.audit.state import State
from custody.errors import JsonValue
from custody.workflow.backup_vault import label_lines
from custody.workflow.status import governance_words

_MAY_BE_SENT = LIVE | {ProposalState.BROADCAST, ProposalState.STILL_SPENDABLE}


@dataclass(frozen=True, slots=True)
class RestoredFacts:
    """Names and numbers from the fold of the journal."""

    governance: str
    officers: tuple[str, ...]
    suspended_by: str | None
    allowlist: tuple[str, ...]
    labels: int
    """Those given with an address included."""
    frozen: tuple[str, ...]
    issued: int
    """Addresses handed out."""
    proposals: int
    spendable: int
    """Proposals whose transaction somebody may still send, those that have not left included."""
    described: int
    """Cosigners whose device is described."""
    registered: int
    tokens: int
    """Registrations that gave out a token (Ledger)."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return everything under its name."""
        return {
            "governance": self.governance,
            "officers": [*self.officers],
            "suspended_by": self.suspended_by,
            "allowlist": [*self.allowlist],
            "labels": self.labels,
            "frozen": [*self.frozen],
            "addresses_issued": self.issued,
            "proposals": self.proposals,
            "proposals_that_may_be_sent": self.spendable,
            "devices_described": self.described,
            "devices_registered": self.registered,
            "registration_tokens": self.tokens,
        }


def facts_of(state: State) -> RestoredFacts:
    """Count what a state holds."""
    gov = state.governance
    records = state.signers.records.values()
    registrations = [one.registration for one in records if one.registration is not None]
    return RestoredFacts(
        governance=governance_words(state),
        officers=tuple(gov.officers),
        suspended_by=gov.suspended_by,
        allowlist=tuple(gov.allowlist),
        labels=len(label_lines(state)),
        frozen=tuple(sorted(str(outpoint) for outpoint in state.frozen)),
        issued=len(state.issued),
        proposals=len(state.proposals),
        spendable=sum(one in _MAY_BE_SENT for one in proposal_states(state).values()),
        described=sum(one.description is not None for one in records),
        registered=len(registrations),
        tokens=sum(one.token is not None for one in registrations),
    )
