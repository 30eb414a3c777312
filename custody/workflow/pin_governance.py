"""Make a signer's trust pin from a bundle, or carry it on: what a person is about to trust, and nothing decided.

The person compares what these return with the other signers before anything is written. Imports
neither chain nor workspace.
"""

from dataclasses import dataclass

from custody.audit.bundle import Bundle
from custody.audit.bundle_findings import governance_findings
from custody.audit.fold_bundle import fold_bundle
from custody.audit.governance import GovernanceState
from custody.audit.trust_pin import TrustPin, pin_findings
from custody.codes import Code
from custody.errors import Conflict, JsonValue
from custody.vault.vault import Vault
from custody.workflow.review_bundle import governance_json, require_own_vault, require_trusted


@dataclass(frozen=True, slots=True)
class Pinning:
    """A pin to be written, and the governance that it would trust."""

    pin: TrustPin
    before: TrustPin | None
    governance: GovernanceState

    @property
    def compared_digest(self) -> str:
        """What people compare: the founding's digest at first, later that of the newest statement."""
        return self.pin.founding if self.before is None else self.pin.governance.digest

    def to_json(self) -> dict[str, JsonValue]:
        """Return the pin, the one before it, and the governance that it trusts."""
        return {
            "pin": self.pin.to_json(),
            "before": None if self.before is None else self.before.to_json(),
            "governance": governance_json(self.governance),
        }


def first_pin(bundle: Bundle, vault: Vault) -> Pinning:
    """Return the first pin of a signer: its governance holds by itself, and only people can say that it is theirs.

    Raises:
        CheckFailed: VAULT_MISMATCH, or what is wrong with the bundle's governance. Conflict: NOT_FOUNDED.
    """
    require_own_vault(bundle, vault)
    folded = fold_bundle(bundle, now=0)
    pin = TrustPin.of(vault.vault_id, folded.governance)
    require_trusted(governance_findings(bundle, folded))
    return Pinning(pin, None, folded.governance)


def next_pin(bundle: Bundle, vault: Vault, pin: TrustPin) -> Pinning:
    """Return the pin after a bundle whose governance passes through `pin` and goes on from there.

    Raises:
        CheckFailed: another vault or founding, a way back, or what is wrong with the bundle's governance.
        Conflict: NOTHING_TO_DO.
    """
    require_own_vault(bundle, vault)
    folded = fold_bundle(bundle, now=pin.time)
    findings = pin_findings(pin, vault.vault_id, folded.governance, bundle.claims.time)
    require_trusted([*findings, *governance_findings(bundle, folded)])
    newer = pin.advanced_to(TrustPin.of(vault.vault_id, folded.governance))
    if newer == pin:
        raise Conflict(
            Code.NOTHING_TO_DO, "the pin has seen all that the bundle shows", advice="Use it as it is with --pin."
        )
    return Pinning(newer, pin, folded.governance)
