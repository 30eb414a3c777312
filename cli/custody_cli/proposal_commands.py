"""`custody proposal …`: a payment from draft to broadcast, one command a step."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from custody.audit.proposal_state import ON_CHAIN, ProposalState, state_of
from custody.chain.open_backend import Backend
from custody.errors import Finding
from custody.spend.draft import Payee
from custody.spend.payments import Payment, parse_payments
from custody.workflow.draft_proposal import Wish, draft_payment
from custody.workflow.finish_proposal import broadcast_proposal, end_proposal, finalize_proposal, wait_for_confirmation
from custody.workflow.office import Desk, open_office
from custody.workflow.proposal_access import find_proposal
from custody.workflow.proposal_view import ProposalView, view_proposal
from custody.workflow.psbt_files import read_returned
from custody.workflow.replace_proposal import bump_inflow, bump_proposal, cancel_proposal
from custody.workflow.sign_proposal import Added, add_returned
from custody.workflow.sync_coins import sync_coins
from custody_cli.card_import import add_from_cards
from custody_cli.confirm import confirm_amount
from custody_cli.loading import workspace_of
from custody_cli.options import STDIO, NounGroup, examples, read_input
from custody_cli.output import Answer, Line, finding_lines
from custody_cli.proposal_approve import approve
from custody_cli.proposal_export import export
from custody_cli.proposal_options import (
    ack_option,
    confirm_option,
    fee_rate_option,
    limits_of,
    max_fee_option,
    outpoints_of,
    payees_of,
    proposal_argument,
    rate_of,
)
from custody_cli.proposal_screen import answer_of, list_line
from custody_cli.proposal_sign import sign
from custody_cli.review_options import MAX_PSBT_FILE
from custody_cli.session import Session
from custody_cli.steps import at_desk, on_chain
from custody_cli.system import wait_a_while

_MAX_PAYMENTS_FILE = 1_000_000


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody --vault reserve proposal draft --to bc1q…=1.5btc --fee-rate 5 --reason 'grant 17'",
        "custody --vault reserve proposal add signed-by-ann.psbt signed-by-bo.psbt",
        "custody --vault reserve proposal finalize && custody --vault reserve proposal broadcast",
    ),
)
def proposal() -> None:
    """Payments: draft, collect signatures, finalize, broadcast; bump and cancel."""


@proposal.command(
    epilog=examples(
        "custody proposal draft --to bc1q…=1.5btc --to bc1p…=25000000sat --fee-rate 5 --reason 'grant 17'",
        "custody proposal draft --payments payroll.csv --hold",
        "custody proposal draft --to bc1q…=all --coin TXID:0 --fee-rate 2",
    )
)
@click.option(
    "--to",
    "to",
    multiple=True,
    metavar="ADDRESS=AMOUNT",
    help="Pay an address or a name of the allowlist; AMOUNT like 1.5btc, 9000sat or all.",
)
@click.option("--payments", metavar="FILE.csv", help="Pay each line: address,amount[,reason]; `-` reads stdin.")
@click.option("--coin", "coins", multiple=True, metavar="TXID:VOUT", help="Spend exactly these coins; repeat.")
@fee_rate_option(required=False)
@click.option("--reason", metavar="TEXT", help="Why it is paid; part of what people approve.")
@click.option("--expires", metavar="TIME", help="RFC 3339 UTC, judged by the chain's time.  [default: 14 days]")
@click.option("--replaces", metavar="ID", help="Take over the coins of this proposal.")
@click.option("--second-payment", is_flag=True, help="Pay a destination again that an ended proposal may still pay.")
@click.option("--hold", is_flag=True, help="Keep the PSBT back until `proposal export`.")
@click.option("--emergency", metavar="PATH", help="Go by this emergency path of the policy.")
@click.option("--min-confirmations", type=click.IntRange(1, 1000), default=6, show_default=True, metavar="N")
@max_fee_option
@click.pass_obj
def draft(
    session: Session,
    to: tuple[str, ...],
    payments: str | None,
    coins: tuple[str, ...],
    fee_rate: str | None,
    reason: str | None,
    expires: str | None,
    replaces: str | None,
    second_payment: bool,
    hold: bool,
    emergency: str | None,
    min_confirmations: int,
    max_fee_sats: int | None,
) -> Answer:
    """Draft a payment: choose coins, build the PSBT, review it, reserve it in the journal."""
    listed = _payments_of(session, payments)
    payees = (*payees_of(to), *(Payee(one.address, one.value) for one in listed))
    if not payees:
        raise click.UsageError("nobody is paid: give --to or --payments")
    wish = Wish(
        payees=payees,
        fee_rate=rate_of(fee_rate),
        coins=outpoints_of(coins),
        reason=reason if reason is not None else _reason_of(listed),
        expires=expires,
        replaces=replaces,
        second_payment=second_payment,
        hold=hold,
        emergency=emergency,
        depth=min_confirmations,
        limits=limits_of(max_fee_sats),
    )
    return on_chain(
        session,
        lambda desk, backend: answer_of(draft_payment(desk, backend, wish, session.progress), desk.office),
    )


@proposal.command("list", epilog=examples("custody --vault reserve proposal list --json"))
@click.pass_obj
def list_(session: Session) -> Answer:
    """List every proposal with its state."""
    office = open_office(workspace_of(session))
    views = [view_proposal(office.state, office.vault, one) for one in office.state.proposals.values()]

    def lines() -> Iterable[Line]:
        yield from (list_line(view) for view in views) if views else ("no proposal was drafted",)

    return Answer({"proposals": [view.to_json() for view in views]}, lines)


@proposal.command(epilog=examples("custody --vault reserve proposal show 3f9a21c07be4d512"))
@proposal_argument
@click.pass_obj
def show(session: Session, named: str | None) -> Answer:
    """Show one proposal, reviewed anew with the signatures collected so far."""
    office = open_office(workspace_of(session))
    return answer_of(view_proposal(office.state, office.vault, find_proposal(office.state, named)), office)


proposal.add_command(approve)
proposal.add_command(export)
proposal.add_command(sign)


@proposal.command(
    epilog=examples(
        "custody proposal add payment-signed-by-ann.psbt",
        "custody proposal add /media/card",
        "custody proposal add - < part.psbt",
    )
)
@click.argument("files", metavar="FILE|FOLDER...", nargs=-1, required=True)
@click.pass_obj
def add(session: Session, files: tuple[str, ...]) -> Answer:
    """Take the signatures of PSBTs or transactions signed elsewhere; everything else in them is ignored.

    From a folder, such as a card, everything signed is taken whatever its name is, and each file is listed with
    what became of it. A file that is refused gives nothing and makes exit 3; the good ones are recorded all the same.
    """
    folders = [Path(place) for place in files if place != STDIO and Path(place).is_dir()]
    if folders:
        if len(folders) < len(files):
            raise click.UsageError("give files or folders, not both at once")
        return add_from_cards(session, folders)
    returned = [(place, read_returned(read_input(place, max_bytes=MAX_PSBT_FILE))) for place in files]

    def step(desk: Desk) -> Answer:
        added: list[Added] = []
        for place, one in returned:
            added.append(add_returned(desk, one, source="stdin" if place == STDIO else "file"))
        answer = answer_of(view_proposal(desk.state, desk.vault, added[-1].record))
        notes = [note for one in added for note in one.notes]
        return _with_notes(answer, sum(one.new_signatures for one in added), notes)

    return at_desk(session, step)


@proposal.command(epilog=examples("custody proposal finalize", "custody proposal finalize 3f9a21c07be4d512 --json"))
@proposal_argument
@ack_option
@max_fee_option
@click.pass_obj
def finalize(session: Session, named: str | None, acks: tuple[str, ...], max_fee_sats: int | None) -> Answer:
    """Build the final transaction from verified signatures; both engines and libbitcoinkernel check it."""
    limits = limits_of(max_fee_sats)

    def step(desk: Desk) -> Answer:
        done = finalize_proposal(desk, named, given_acks=acks, limits=limits)
        if not done.kernel_verified:
            session.talk("libbitcoinkernel is missing on this Python: checked by both engines alone")
        return answer_of(view_proposal(desk.state, desk.vault, done.record, limits))

    return at_desk(session, step)


@proposal.command(
    epilog=examples(
        "custody proposal broadcast",
        "custody proposal broadcast 3f9a21c07be4d512 --confirm-sats 150000000 --wait",
    )
)
@proposal_argument
@ack_option
@confirm_option
@click.option("--wait", is_flag=True, help="Follow the transaction until it is confirmed.")
@max_fee_option
@click.pass_obj
def broadcast(
    session: Session,
    named: str | None,
    acks: tuple[str, ...],
    confirm_sats: int | None,
    wait: bool,
    max_fee_sats: int | None,
) -> Answer:
    """Send the final transaction, after the node was asked and the amount was typed."""
    limits = limits_of(max_fee_sats)
    office = open_office(workspace_of(session))
    view = view_proposal(office.state, office.vault, find_proposal(office.state, named), limits)
    asked = view.final is not None and view.state is not ProposalState.BROADCAST and view.state not in ON_CHAIN
    if asked:
        confirm_amount(view, verb="broadcast", confirm_sats=confirm_sats)

    def step(desk: Desk, backend: Backend) -> ProposalView:
        record = broadcast_proposal(
            desk,
            backend,
            view.proposal_id,
            given_acks=acks,
            limits=limits,
            progress=session.progress,
            was_confirmed=asked,
        )
        return view_proposal(desk.state, desk.vault, record, limits)

    sent = on_chain(session, step)
    if not wait or sent.state not in (ProposalState.BROADCAST, ProposalState.MINED):
        return answer_of(sent)

    def seen(desk: Desk, backend: Backend) -> ProposalState:
        sync_coins(desk, backend, full=False, progress=session.progress)
        return state_of(desk.state, desk.state.proposals[sent.proposal_id])

    wait_for_confirmation(lambda: on_chain(session, seen), pause=wait_a_while)
    office = open_office(workspace_of(session))
    return answer_of(view_proposal(office.state, office.vault, office.state.proposals[sent.proposal_id], limits))


@proposal.command(
    epilog=examples(
        "custody proposal bump 3f9a21c07be4d512 --fee-rate 20",
        "custody proposal bump --inflow TXID --fee-rate 20",
    )
)
@proposal_argument
@click.option("--inflow", metavar="TXID", help="Instead: a child that pays for this stuck inflow.")
@fee_rate_option(required=True)
@max_fee_option
@click.pass_obj
def bump(session: Session, named: str | None, inflow: str | None, fee_rate: str, max_fee_sats: int | None) -> Answer:
    """Draft a replacement with a higher fee; payees stay as they are."""
    if (named is None) is (inflow is None):
        raise click.UsageError("name either a proposal or an --inflow")
    rate, limits = rate_of(fee_rate), limits_of(max_fee_sats)
    if rate is None:
        raise click.UsageError("give --fee-rate")

    def step(desk: Desk, backend: Backend) -> Answer:
        if inflow is not None:
            made = bump_inflow(desk, backend, inflow, rate, limits=limits, progress=session.progress)
            return answer_of(made, desk.office)
        made = bump_proposal(desk, backend, named or "", rate, limits=limits, progress=session.progress)
        return answer_of(made, desk.office)

    return on_chain(session, step)


@proposal.command(epilog=examples("custody proposal cancel 3f9a21c07be4d512 --fee-rate 20"))
@click.argument("named", metavar="ID")
@fee_rate_option(required=True)
@max_fee_option
@click.pass_obj
def cancel(session: Session, named: str, fee_rate: str, max_fee_sats: int | None) -> Answer:
    """Draft the conflicting payment to ourselves that takes a proposal back for good."""
    rate, limits = rate_of(fee_rate), limits_of(max_fee_sats)
    if rate is None:
        raise click.UsageError("give --fee-rate")

    def step(desk: Desk, backend: Backend) -> Answer:
        made = cancel_proposal(desk, backend, named, rate, limits=limits, progress=session.progress)
        return answer_of(made, desk.office)

    return on_chain(session, step)


@proposal.command(epilog=examples("custody proposal withdraw 3f9a21c07be4d512 --reason 'invoice was wrong'"))
@click.argument("named", metavar="ID")
@click.option("--reason", metavar="TEXT")
@click.pass_obj
def withdraw(session: Session, named: str, reason: str | None) -> Answer:
    """End a proposal. If it left the house it can still be spent until `proposal cancel` is buried."""
    return _ended(session, named, "proposal_withdrawn", reason)


@proposal.command(epilog=examples("custody proposal reject 3f9a21c07be4d512 --reason 'no such grant'"))
@click.argument("named", metavar="ID")
@click.option("--reason", metavar="TEXT")
@click.pass_obj
def reject(session: Session, named: str, reason: str | None) -> Answer:
    """Refuse a proposal of somebody else."""
    return _ended(session, named, "proposal_rejected", reason)


def _ended(session: Session, named: str, kind: str, reason: str | None) -> Answer:
    def step(desk: Desk) -> Answer:
        record = end_proposal(desk, named, kind=kind, reason=reason)
        return answer_of(view_proposal(desk.state, desk.vault, record))

    return at_desk(session, step)


def _payments_of(session: Session, place: str | None) -> tuple[Payment, ...]:
    if place is None:
        return ()
    network = open_office(workspace_of(session)).vault.network
    return parse_payments(read_input(place, max_bytes=_MAX_PAYMENTS_FILE), network)


def _reason_of(payments: Sequence[Payment]) -> str | None:
    """Return the reasons of a payments file in its order, each once: those who approve read them."""
    return "; ".join(dict.fromkeys(one.reason for one in payments if one.reason)) or None


def _with_notes(answer: Answer, new: int, notes: Sequence[Finding]) -> Answer:
    def lines() -> Iterable[Line]:
        yield f"{new} new signature(s) recorded" if new else "every signature was known already: nothing was written"
        yield from finding_lines(notes)
        yield from answer.text()

    return Answer({**answer.json, "new_signatures": new}, lines)
