"""Review a whole governed payment offline: a bundle, by the signer's own vault file and pin.

The rules, in their order:
1. The bundle is about the signer's own vault; scripts are derived from the signer's file alone.
2. Governance is folded anew from the founding on, and has to pass through the pin. A change that had
   to wait is in force only if the pin settled it.
3. The PSBT is reviewed as any other; the proposal that people approved has to say the same.
4. The policy in force decides about what the PSBT does, with the approvals whose signatures hold.
5. What only the bundle's maker says is named.

Imports neither chain nor workspace: it runs on a machine that has neither. No clock is asked.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from custody.audit.bundle import Bundle
from custody.audit.bundle_findings import (
    governance_findings,
    proposal_findings,
    unsettled_findings,
    unverified_notes,
)
from custody.audit.fold_bundle import FoldedBundle, fold_bundle
from custody.audit.governance import GovernanceState
from custody.audit.state import SignedStatement
from custody.audit.trust_pin import TrustPin, newest_checkpoint, pin_findings, signers_of
from custody.audit.waited_changes import waited_changes, waited_json
from custody.bitcoin.psbt import Psbt
from custody.codes import Code
from custody.documents.sshsig_keys import SshPublicKey
from custody.errors import CheckFailed, Finding, JsonValue, refusals
from custody.policy.decision import Decision
from custody.spend.expiry import format_time
from custody.spend.review_findings import DO_NOT_SIGN, TX, refuse
from custody.spend.review_model import Purpose, Review, ReviewContext, in_order_of_weight
from custody.vault.compare import compare_vaults
from custody.vault.vault import Vault
from custody.workflow.decide_bundle import bundle_decision
from custody.workflow.review_psbt import review_psbt


@dataclass(frozen=True, slots=True)
class BundleReview:
    """What a bundle really is: the payment, who approved it, and by whose rules."""

    review: Review
    """Of the PSBT, with the findings about the whole bundle among its own."""
    bundle: Bundle
    folded: FoldedBundle
    decision: Decision
    """What the policy in force says to signing."""
    pin: TrustPin | None

    @property
    def governance(self) -> GovernanceState:
        """As folded from the bundle's signatures; what the pin has not settled waits on in it."""
        return self.folded.governance

    @property
    def approvals(self) -> tuple[SignedStatement, ...]:
        """The approvals that count now."""
        return tuple(one for one in self.folded.statements if one.kind == "approve")

    @property
    def drafters(self) -> tuple[SignedStatement, ...]:
        """The drafter's own statement, if it counts now."""
        return tuple(one for one in self.folded.statements if one.kind == "propose")

    def to_json(self) -> "dict[str, JsonValue | Decimal]":
        """Return the keys of a PSBT's review, and `proposal`, `approvals`, `decision`, `governance`, `claims`."""
        proposal = self.bundle.proposal
        counted = {one.seq for one in self.folded.statements}
        settled = -1 if self.pin is None else self.pin.settled
        statements = self.folded.record.statements
        return {
            **self.review.to_json(),
            "proposal": {
                "proposal_id": proposal.proposal_id,
                "kind": str(proposal.kind),
                "policy_path": proposal.policy_path,
                "reason": proposal.reason,
                "drafter": proposal.drafter,
                "expires": proposal.expires,
            },
            "approvals": [statement_json(one, counts=one.seq in counted) for one in statements],
            "decision": self.decision.to_json(),
            "governance": {
                **governance_json(self.governance),
                "waited": waited_list(self.folded.claimed.governance, settled),
                "pinned": self.pin is not None,
            },
            "claims": self.bundle.claims.to_document(),
        }


def review_bundle(bundle: Bundle, vault: Vault, pin: TrustPin | None, context: ReviewContext) -> BundleReview:
    """Review a bundle by the signer's own `vault` and `pin`; findings are returned, nothing raises for a bad payment.

    Without a pin everything is shown and refused: the officers are those that the bundle names.

    Raises:
        CheckFailed: VAULT_MISMATCH, the bundle is about another vault.
        InvalidInput: an entry of it has a wrong shape.
    """
    require_own_vault(bundle, vault)
    folded = fold_bundle(bundle, settled=None if pin is None else pin.settled)
    if bundle.proposal.replaces_txid is not None:
        context = replace(context, replaces=context.replaces | {bundle.proposal.replaces_txid})
    review = review_psbt(bundle.psbt, vault, context)
    decision = bundle_decision(bundle, folded, review)
    findings = [
        *trust_findings(bundle, folded, vault, pin),
        *proposal_findings(bundle, review, vault),
        *_decision_findings(decision),
        *review.findings,
        *compare_vaults(vault, bundle.vault),
        *unverified_notes(bundle, folded),
    ]
    return BundleReview(replace(review, findings=in_order_of_weight(findings)), bundle, folded, decision, pin)


def trust_findings(bundle: Bundle, folded: FoldedBundle, vault: Vault, pin: TrustPin | None) -> list[Finding]:
    """Return what is wrong with the governance that a bundle brings, by itself and by the pin."""
    if pin is None:
        words = "without a pin of yours the officers, the policy and the approvals are only what the file says"
        advice = "Make a pin with `custody pin create` after comparing with the other signers, then give it with --pin."
        pinned = [refuse(Code.NO_TRUST_PIN, "pin", words, advice)]
    else:
        pinned = pin_findings(
            pin, vault.vault_id, folded.claimed.governance, policy_version=folded.governance.highest_version
        )
    return [*pinned, *governance_findings(bundle, folded), *unsettled_findings(folded)]


def review_bare_psbt(psbt: Psbt, vault: Vault, context: ReviewContext) -> Review:
    """Review a PSBT that came without a bundle to a signer who has a pin: refused, since nothing shows an approval.

    Whoever could take the approvals away would else only have to hand over the PSBT alone. A rehearsal or a proof pays
    nobody and needs no approval: it can't be spent, by whomever it is signed.
    """
    answer = review_psbt(psbt, vault, context)
    if answer.purpose is not Purpose.PAYMENT:
        return answer
    words = "a bare PSBT carries no approvals: by your pin, payments of this vault need them"
    advice = "Ask for the bundle (`custody proposal export --bundle`); without --pin the PSBT alone is reviewed."
    finding = refuse(Code.APPROVALS_MISSING, TX, words, advice)
    return replace(answer, findings=in_order_of_weight([finding, *answer.findings]))


def statement_json(one: SignedStatement, *, counts: bool) -> dict[str, JsonValue]:
    """Return one signed statement about the proposal."""
    key = SshPublicKey.from_blob(one.key)
    return {
        "officer": one.officer,
        "statement": one.kind,
        "counts": counts,
        "roles": [*sorted(one.roles)],
        "key_type": str(key.key_type),
        "fingerprint": key.fingerprint,
        "governance_number": one.governance.number,
        "claimed_time": format_time(one.time),
    }


def governance_json(gov: GovernanceState) -> dict[str, JsonValue]:
    """Return governance as a signer compares it with others."""
    newest, policy = newest_checkpoint(gov.checkpoints), gov.policy
    return {
        "founding": gov.founding,
        "number": None if gov.head is None else gov.head.number,
        "digest": None if gov.head is None else gov.head.digest,
        "policy": None if policy is None else {"name": policy.name, "version": policy.version, "digest": policy.digest},
        "officers": [
            {"name": one.name, "roles": [*sorted(one.roles)], "fingerprint": one.key.fingerprint}
            for one in gov.officers.values()
        ],
        "suspended_by": gov.suspended_by,
        "checkpoint": None
        if newest is None
        else {
            "entries": newest.length,
            "head": newest.head,
            "signed_by": [*signers_of(gov.checkpoints, newest.head)],
            "time": newest.time,
        },
    }


def waited_list(gov: GovernanceState, settled: int) -> list[JsonValue]:
    """Return the changes that had to wait, as the bundle's times have them."""
    return [waited_json(one, settled=one.change.number <= settled) for one in waited_changes(gov)]


def require_own_vault(bundle: Bundle, vault: Vault) -> None:
    """Demand that a bundle is about the signer's own vault.

    Raises:
        CheckFailed: VAULT_MISMATCH.
    """
    if bundle.vault.vault_id != vault.vault_id:
        raise CheckFailed(
            Code.VAULT_MISMATCH,
            f"the bundle is about vault `{bundle.vault.vault_id}`, your file is `{vault.vault_id}`",
            advice=DO_NOT_SIGN,
        )


def require_trusted(findings: list[Finding]) -> None:
    """Demand that nothing is wrong with a bundle's governance.

    Raises:
        CheckFailed: with the first refusing finding's code, all of them in the details.
    """
    refused = refusals(findings)
    if refused:
        first = refused[0]
        details: dict[str, JsonValue] = {"findings": [one.to_json() for one in refused]}
        raise CheckFailed(first.code, f"{first.message} ({first.where})", advice=first.advice, details=details)


def _decision_findings(decision: Decision) -> list[Finding]:
    denied = [refuse(Code.POLICY_DENIED, "policy", f"{one.rule}: {one.words}") for one in decision.forbidding]
    if decision.is_denied and not denied:
        denied = [refuse(Code.POLICY_DENIED, "policy", "no rule of the policy permits it")]
    advice = "Do not sign yet; ask for a bundle with what is missing."
    missing = [refuse(Code.APPROVALS_MISSING, "policy", f"{one.rule}: {one.what}", advice) for one in decision.missing]
    return [*denied, *missing]
