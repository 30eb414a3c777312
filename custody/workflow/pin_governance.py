"""Make a signer's trust pin from a bundle, or carry it on: what a person is about to trust, and nothing decided.

The person compares what these return with the other signers before anything is written. That digest
settles what became of changes that had to wait: a veto has a number of its own, so that who hides one
shows another digest than the officers have. Imports neither chain nor workspace.
"""

from dataclasses import dataclass

from custody.audit.bundle import Bundle
from custody.audit.bundle_findings import governance_findings
from custody.audit.fold_bundle import FoldedBundle, fold_bundle
from custody.audit.governance import ChangeRecord, GovernanceState
from custody.audit.trust_pin import TrustPin, pin_findings
from custody.audit.waited_changes import decided_up_to, waited_changes
from custody.codes import Code
from custody.errors import Conflict, JsonValue
from custody.vault.vault import Vault
from custody.workflow.review_bundle import governance_json, require_own_vault, require_trusted, waited_list


@dataclass(frozen=True, slots=True)
class Pinning:
    """A pin to be written, and the bundle that it is made from."""

    pin: TrustPin
    before: TrustPin | None
    folded: FoldedBundle
    time: int
    """The chain's time by the bundle's word, Unix seconds: shown, and never kept."""

    @property
    def governance(self) -> GovernanceState:
        """The governance that the pin would trust."""
        return self.folded.governance

    @property
    def compared_digest(self) -> str:
        """What people compare: that of the newest statement, which is the founding until something changes."""
        return self.pin.governance.digest

    @property
    def waited(self) -> tuple[ChangeRecord, ...]:
        """The changes that had to wait and that no pin settled before: what became of them by the bundle's word."""
        before = -1 if self.before is None else self.before.settled
        return tuple(one for one in waited_changes(self.folded.claimed.governance) if one.change.number > before)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the pin, the one before it, and the governance that it trusts."""
        return {
            "pin": self.pin.to_json(),
            "before": None if self.before is None else self.before.to_json(),
            "governance": {
                **governance_json(self.governance),
                "waited": waited_list(self.folded.claimed.governance, self.pin.settled),
            },
        }


def first_pin(bundle: Bundle, vault: Vault) -> Pinning:
    """Return the first pin of a signer: its governance holds by itself, and only people can say that it is theirs.

    Raises:
        CheckFailed: VAULT_MISMATCH, or what is wrong with the bundle's governance. Conflict: NOT_FOUNDED.
    """
    require_own_vault(bundle, vault)
    pin, folded = seen_in(bundle)
    require_trusted(governance_findings(bundle, folded))
    return Pinning(pin, None, folded, bundle.claims.time)


def next_pin(bundle: Bundle, vault: Vault, pin: TrustPin) -> Pinning:
    """Return the pin after a bundle whose governance passes through `pin` and goes on from there.

    Raises:
        CheckFailed: another vault or founding, a way back, or what is wrong with the bundle's governance.
        Conflict: NOTHING_TO_DO.
    """
    require_own_vault(bundle, vault)
    seen, folded = seen_in(bundle)
    findings = pin_findings(pin, vault.vault_id, folded.claimed.governance, policy_version=seen.policy_version)
    require_trusted([*findings, *governance_findings(bundle, folded)])
    newer = pin.advanced_to(seen)
    if newer == pin:
        raise Conflict(
            Code.NOTHING_TO_DO, "the pin has seen all that the bundle shows", advice="Use it as it is with --pin."
        )
    return Pinning(newer, pin, folded, bundle.claims.time)


def seen_in(bundle: Bundle) -> tuple[TrustPin, FoldedBundle]:
    """Return the pin of whoever has seen this bundle and trusts it, and the bundle folded by it.

    What still waits in the bundle, and what has a higher number than that, is not settled.

    Raises:
        Conflict: NOT_FOUNDED.
    """
    gov = fold_bundle(bundle).governance
    settled = decided_up_to(gov)
    folded = fold_bundle(bundle, settled=settled)
    version = folded.governance.highest_version
    return TrustPin.of(bundle.vault.vault_id, gov, settled=settled, policy_version=version), folded
