"""Which section of a policy a proposal falls under: by its kind, and by name for an emergency path."""

from typing import TypeAlias

from custody.policy.model import EmergencyPath, MoveSection, PaymentSection, SpendPolicy
from custody.spend.proposal import ProposalKind

Section: TypeAlias = PaymentSection | MoveSection | EmergencyPath


def section_for(policy: SpendPolicy, kind: ProposalKind, path: str | None) -> Section | None:
    """Return the section, None where the policy has none: such a proposal is forbidden."""
    match kind:
        case ProposalKind.PAYMENT:
            return policy.payment
        case ProposalKind.INTERNAL:
            return policy.internal
        case ProposalKind.BUMP:
            return policy.bump
        case ProposalKind.CANCEL:
            return policy.cancel
        case _:
            return policy.path_named(path or "")
