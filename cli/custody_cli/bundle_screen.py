"""A bundle's review on one screen: the payment as in any review, then who approved it and by whose rules.

Fingerprints stand in full, since they are compared with a printout; digests of policy and
governance are cut to 16 characters here and whole in --json.
"""

from collections.abc import Iterator

from custody.documents.display import escape
from custody.errors import Severity
from custody.vault.vault import Vault
from custody.workflow.review_bundle import BundleReview, statement_json
from custody_cli.output import Line, Style, Styled
from custody_cli.review_screen import (
    finding_screen,
    identity_lines,
    signing_lines,
    transaction_lines,
    verdict_lines,
    wrapped,
)

_LABEL = 12
_SHOWN = 16
"""Characters of a digest."""


def bundle_lines(answer: BundleReview, vault: Vault) -> Iterator[Line]:
    """Show the whole review of a bundle."""
    yield from identity_lines(answer.review, vault)
    yield from _proposal_lines(answer)
    yield ""
    yield from transaction_lines(answer.review)
    yield ""
    yield from _people_lines(answer)
    yield from _policy_lines(answer)
    yield from _governance_lines(answer)
    yield ""
    yield from finding_screen(answer.review.findings)
    yield ""
    yield from signing_lines(answer.review, vault)
    yield from verdict_lines(answer.review)


def _proposal_lines(answer: BundleReview) -> Iterator[Line]:
    proposal = answer.bundle.proposal
    yield f"proposal id    {proposal.proposal_id}"
    path = "" if proposal.policy_path is None else f" by path {escape(proposal.policy_path)}"
    reason = "no reason given" if proposal.reason is None else f"reason: {escape(proposal.reason)}"
    yield from wrapped(f"{'kind':<15}{proposal.kind}{path}; {reason}", indent=15)


def _people_lines(answer: BundleReview) -> Iterator[Line]:
    for label, people, nobody in (
        ("DRAFTED BY", answer.drafters, "nobody: no drafter in force signed it"),
        ("APPROVED BY", answer.approvals, "nobody whose approval holds"),
    ):
        for row, one in enumerate(people):
            key = statement_json(one, counts=True)["fingerprint"]
            yield from wrapped(f"{label if row == 0 else '':<{_LABEL}}{one.officer}, {key}", indent=_LABEL)
        if not people:
            yield Styled(f"{label:<{_LABEL}}{nobody}", Style.BAD)


def _policy_lines(answer: BundleReview) -> Iterator[Line]:
    policy, decision = answer.governance.policy, answer.decision
    if policy is None:
        yield Styled(f"{'POLICY':<{_LABEL}}none", Style.BAD)
        return
    said = "SAYS NO" if decision.is_denied else "NOT YET" if decision.missing else "allows signing"
    text = f"{'POLICY':<{_LABEL}}{policy.name} version {policy.version} ({policy.digest[:_SHOWN]}): {said}"
    for line in wrapped(text, indent=_LABEL):
        yield Styled(line, Style.GOOD if decision.is_allowed else Style.BAD)


def _governance_lines(answer: BundleReview) -> Iterator[Line]:
    gov = answer.governance
    if gov.head is None or gov.founding is None:
        yield Styled(f"{'GOVERNANCE':<{_LABEL}}nothing is founded", Style.BAD)
        return
    contradicted = any(one.where == "pin" and one.severity is Severity.REFUSE for one in answer.review.findings)
    trust = "NOT PINNED" if contradicted else "pinned"
    head = f"statement {gov.head.number} ({gov.head.digest[:_SHOWN]})"
    text = f"{'GOVERNANCE':<{_LABEL}}{trust}: {head}, founding {gov.founding[:_SHOWN]}"
    for line in wrapped(text, indent=_LABEL):
        yield Styled(line, Style.BAD if contradicted else Style.GOOD)
