"""Proposals as a person reads them: what is paid, what comes back, who is awaited, what to run next."""

from collections.abc import Iterator

from custody.audit.proposal_state import LIVE, ON_CHAIN, ProposalState
from custody.bitcoin.amount import format_btc
from custody.documents.display import group_address
from custody.errors import Severity
from custody.workflow.office import Office
from custody.workflow.proposal_view import ProposalView
from custody.workflow.status import next_step
from custody_cli.output import Answer, Line, Style, Styled
from custody_cli.proposal_devices import device_lines, with_devices
from custody_cli.review_screen import finding_screen

_STYLES = {
    ProposalState.CONFIRMED: Style.GOOD,
    ProposalState.MINED: Style.GOOD,
    ProposalState.STILL_SPENDABLE: Style.BAD,
    ProposalState.VOID: Style.CARE,
    ProposalState.EXPIRED: Style.CARE,
}
_SHORT = 16


def short_id(proposal_id: str) -> str:
    """Return the characters of an id that commands take and people copy."""
    return proposal_id[:_SHORT]


def answer_of(view: ProposalView, office: Office | None = None) -> Answer:
    """Return a proposal as the answer of any of its steps; with `office`, also how it fits the signers' devices."""
    shown = view if office is None else with_devices(view, office)
    return Answer(shown.to_json(), lambda: proposal_lines(shown))


def payment_lines(view: ProposalView) -> Iterator[Line]:
    """Show who gets what, what comes back and the fee."""
    proposal = view.record.proposal
    for one in proposal.destinations:
        yield Styled(f"PAYS   {format_btc(one.value):>17} BTC  {one.value:>16} sat", Style.STRONG)
        yield f"       {group_address(one.address)}"
    for back in proposal.change:
        yield f"BACK   {format_btc(back.value):>17} BTC  {back.value:>16} sat  change {back.index}"
        yield f"       {group_address(back.address)}"
    rate = view.review.fee_rate_sat_vb
    yield f"FEE    {format_btc(proposal.fee):>17} BTC  {proposal.fee:>16} sat  {rate} sat/vB"


def proposal_lines(view: ProposalView) -> Iterator[Line]:
    """Show one proposal whole."""
    proposal = view.record.proposal
    yield Styled(
        f"Proposal {short_id(view.proposal_id)}: {proposal.kind}, {view.state}", _STYLES.get(view.state, Style.STRONG)
    )
    yield f"id             {view.proposal_id}"
    yield f"unsigned txid  {proposal.unsigned_txid}"
    if view.final is not None:
        yield f"txid           {view.final.txid}"
    if proposal.reason is not None:
        yield f"reason         {proposal.reason}"
    if proposal.replaces is not None:
        yield f"replaces       {short_id(proposal.replaces)}"
    yield f"expires        {proposal.expires} by the chain's time"
    yield ""
    yield from payment_lines(view)
    coins = len(proposal.inputs)
    yield f"FROM   {coins} coin{'' if coins == 1 else 's'}, every script derived by two engines"
    yield from device_lines(view.devices)
    yield ""
    yield from signing_lines(view)
    yield from finding_screen([one for one in view.review.findings if one.severity is not Severity.NOTE])
    yield from _next_lines(view)


def signing_lines(view: ProposalView) -> Iterator[Line]:
    """Show who signed and who is awaited, from verified signatures alone."""
    signing = view.review.signing
    done = Style.GOOD if signing.is_complete else Style.CARE
    yield Styled(f"SIGNED {len(signing.signed)} of {signing.threshold}: {', '.join(signing.signed) or 'nobody'}", done)
    if not signing.is_complete:
        yield f"WAITS  for {signing.missing} of {', '.join(signing.unsigned)}"
    yield from decision_lines(view)


def decision_lines(view: ProposalView) -> Iterator[Line]:
    """Show what the policy says: who approved, what forbids, what is missing and from whom."""
    decision = view.decision
    if view.record.proposal.policy_digest is None and decision.is_allowed:
        yield (
            f"POLICY {decision.reasons[0].words}"
            if view.state in ON_CHAIN
            else "POLICY none adopted (NO_POLICY_ADOPTED)"
        )
        return
    drafter = view.record.proposed_by
    yield f"DRAFT  {'signed by ' + drafter if drafter else 'not signed by its drafter yet'}"
    yield f"AGREED {', '.join(view.approved_by) or 'nobody'}"
    if view.void_approvals:
        yield Styled(f"VOID   the approval of {', '.join(view.void_approvals)}, revoked since", Style.CARE)
    for reason in decision.forbidding:
        yield Styled(f"POLICY no: {reason.words}", Style.BAD)
    for one in decision.missing:
        who = f" ({', '.join(one.sources)})" if one.sources else ""
        yield Styled(f"POLICY waits: {one.what}{who}", Style.CARE)
    if decision.is_allowed:
        yield Styled("POLICY allows it now", Style.GOOD)


def agreement_lines(view: ProposalView) -> Iterator[str]:
    """Return who agreed and what the policy still waits for, for a list; nothing without a policy."""
    if view.record.proposal.policy_digest is None:
        return
    yield f"agreed: {', '.join(view.approved_by) or 'nobody yet'}"
    yield from (f"policy says no: {reason.words}" for reason in view.decision.forbidding)
    yield from (f"policy waits: {one.what}" for one in view.decision.missing)


def list_line(view: ProposalView) -> Line:
    """Return one proposal as a line of a list."""
    signing = view.review.signing
    total = format_btc(view.amount_to_confirm)
    text = (
        f"{short_id(view.proposal_id)}  {view.state:<15} {view.record.proposal.kind:<9} {total:>17} BTC  "
        f"{len(signing.signed)}/{signing.threshold} signed  {view.record.proposal.reason or ''}"
    )
    style = _STYLES.get(view.state)
    return text.rstrip() if style is None else Styled(text.rstrip(), style)


def _next_lines(view: ProposalView) -> Iterator[Line]:
    name = short_id(view.proposal_id)
    step = {
        ProposalState.DRAFT: f"custody proposal export {name} -o payment.psbt   then each signer reviews and signs it",
        ProposalState.SIGNING: "custody proposal add FILE   with what each signer returns",
        ProposalState.SIGNED: f"custody proposal finalize {name}",
        ProposalState.FINALIZED: f"custody proposal broadcast {name}",
        ProposalState.BROADCAST: "custody coins sync   until it is confirmed",
        ProposalState.STILL_SPENDABLE: f"custody proposal cancel {name} --fee-rate N   to end it for good",
    }.get(view.state)
    if view.state in LIVE and not view.decision.is_allowed:
        step = next_step(view)
    if step is not None:
        yield ""
        yield f"NEXT   {step}"
