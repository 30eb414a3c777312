"""`custody address attest`: officers sign a receive address for whoever will pay to it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from custody import atomic
from custody.bitcoin.amount import parse_amount
from custody.documents.display import group_address
from custody.people.receive import MAX_HEIGHT
from custody.people.receive_document import MAX_PROOF
from custody.people.statement import money
from custody.workflow.attest_address import (
    Wanted,
    attach_proof,
    document_of,
    draft_receive,
    proof_to_sign,
    require_may_sign,
    sign_receive,
    usual_expiry,
)
from custody.workflow.office import Desk, decide_again, open_office
from custody.workflow.receive_view import ReceiveView, find_receive, view_receive
from custody_cli.loading import workspace_of
from custody_cli.options import STDIO, CustodyCommand, examples, read_input
from custody_cli.output import Answer, Line, Style, Styled
from custody_cli.session import Session
from custody_cli.statement_options import (
    actor_of,
    require_one_way,
    signature_options,
    signature_over,
    statement_commands,
)
from custody_cli.system import surroundings_of

_NO_END = "none"


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody address attest --next --purpose 'block rewards' --payer 'Pool X' --key ~/.ssh/id_ed25519 --as dora",
        "custody address attest 7 --key ~/.ssh/id_ed25519 -o pool.json --as ann",
        "custody address attest 7 --statement receive.txt",
        "custody address attest 7 --signature receive.txt.sig -o pool.json --as ann",
    ),
)
@click.argument("index", required=False, type=click.IntRange(0, 2**31 - 1))
@click.option("--next", "take_next", is_flag=True, help="Hand out the next receive address for this.")
@click.option("--purpose", metavar="TEXT", help="What the money is for. Begins a new attestation.")
@click.option("--amount", metavar="AMOUNT", help="How much is to be paid, with its unit; any amount by default.")
@click.option("--payer", metavar="TEXT", help="Who is to pay.")
@click.option("--expires", metavar="HEIGHT|none", help="Last block at which it holds; 4,320 above the tip by default.")
@click.option("--label", metavar="TEXT", help="With --next: our own label; the payer doesn't see it.")
@click.option("--statement", metavar="FILE", help="Write what officers sign, to sign it elsewhere.")
@click.option(
    "--proof-psbt", metavar="FILE", help="Write a PSBT in which the address itself signs that text's digest (BIP 322)."
)
@click.option(
    "--proof", metavar="FILE", help="Add the address's own signature (BIP 322) of that text's digest, made elsewhere."
)
@click.option(
    "-o", "--output", metavar="FILE", help="Write the payer's document once enough have signed; a new file, or `-`."
)
@signature_options
@click.pass_obj
def attest(
    session: Session,
    index: int | None,
    take_next: bool,
    purpose: str | None,
    amount: str | None,
    payer: str | None,
    expires: str | None,
    label: str | None,
    statement: str | None,
    proof_psbt: str | None,
    proof: str | None,
    output: str | None,
    key: Path | None,
    signature: str | None,
) -> Answer:
    """Attest the receive address at INDEX to a payer, or sign as --as NAME what another officer wrote down.

    With --purpose new terms are written down (and --next hands the address out); without it the newest ones of that
    address are meant. Two different officers sign. What -o writes the payer checks with
    `address verify --attestation`, without a wallet. Exit 5 while signatures are missing.
    """
    if (index is None) is not take_next or (take_next and purpose is None):
        raise click.UsageError("name the INDEX of an address, or begin with --next and --purpose")
    if purpose is None and (amount, payer, expires, label) != (None, None, None, None):
        raise click.UsageError("terms that are written down don't change: begin new ones with --purpose")
    if not take_next and label is not None:
        raise click.UsageError("--label goes with --next; label a known address with `coins label`")
    if key is not None or signature is not None:
        require_one_way(key, signature)
    if purpose is not None and (signature is not None or proof is not None):
        raise click.UsageError("new terms aren't signed yet: write them down first, then bring signature or proof")
    for place in (statement, proof_psbt, None if output == STDIO else output):
        if place is not None:
            atomic.require_creatable(Path(place))
    wanted = None if purpose is None else (index, purpose, amount, payer, label)
    view = _drafted(session, wanted, expires) if wanted is not None else _known(session, index or 0)
    if key is not None or signature is not None:
        view = _signed(session, view, key, signature)
    if proof is not None:
        view = _proved(session, view, proof)
    if statement is not None:
        atomic.create_file(Path(statement), view.record.terms.statement.signed_bytes)
    if proof_psbt is not None:
        unsigned = proof_to_sign(open_office(workspace_of(session)), view)
        atomic.create_file(Path(proof_psbt), unsigned.serialize())
    if output is not None:
        document = document_of(open_office(workspace_of(session)), view).to_bytes()
        if output == STDIO:
            return Answer({**view.to_json(), "document": document.decode("ascii")}, lambda: (), raw=document)
        atomic.create_file(Path(output), document)
    return _answer(view, {"statement_file": statement, "proof_psbt_file": proof_psbt, "file": output})


def _drafted(
    session: Session, wanted: tuple[int | None, str, str | None, str | None, str | None], expires: str | None
) -> ReceiveView:
    index, purpose, amount, payer, label = wanted
    name = actor_of(session)
    sats = None if amount is None else parse_amount(amount)

    def step(desk: Desk) -> ReceiveView:
        height = usual_expiry(desk.state) if expires is None else _height(expires)
        return draft_receive(desk, Wanted(index, purpose, sats, payer, height, label), name)

    return decide_again(workspace_of(session), surroundings_of(session), step)


def _height(text: str) -> int | None:
    if text == _NO_END:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= MAX_HEIGHT):
        raise click.UsageError(f"--expires is the height of a block, at most {MAX_HEIGHT}, or `{_NO_END}`")
    return int(text)


def _known(session: Session, index: int) -> ReceiveView:
    state = open_office(workspace_of(session)).state
    return view_receive(state, find_receive(state, index))


def _signed(session: Session, view: ReceiveView, key: Path | None, signature: str | None) -> ReceiveView:
    workspace, name, terms = workspace_of(session), actor_of(session), view.record.terms
    require_may_sign(open_office(workspace).state, view.record, name)
    armored = signature_over(session, terms.statement, key, signature)
    return decide_again(
        workspace, surroundings_of(session), lambda desk: sign_receive(desk, terms.receive_id, name, armored)
    )


def _proved(session: Session, view: ReceiveView, place: str) -> ReceiveView:
    text = read_input(place, max_bytes=2 * MAX_PROOF).decode("ascii", errors="replace").strip()
    receive_id = view.record.terms.receive_id
    return decide_again(
        workspace_of(session), surroundings_of(session), lambda desk: attach_proof(desk, receive_id, text)
    )


def _answer(view: ReceiveView, files: Mapping[str, str | None]) -> Answer:
    terms = view.record.terms
    statement, proof_psbt, output = files["statement_file"], files["proof_psbt_file"], files["file"]

    def lines() -> Iterable[Line]:
        yield Styled(group_address(terms.address), Style.STRONG)
        yield terms.address
        yield f"receive {terms.index}; compare it on a device before the document leaves"
        yield f"amount   {'any' if terms.amount is None else money(terms.amount)}"
        yield f"payer    {terms.payer or 'none named'}"
        yield f"purpose  {terms.purpose}"
        yield f"expires  {'never' if terms.expires_height is None else f'after block {terms.expires_height}'}"
        yield f"signed   {', '.join(view.signed_by) or 'by nobody yet'}; {terms.needed} needed"
        yield f"proof    {'none' if view.record.proof is None else 'the address itself signed too (BIP 322)'}"
        if statement is not None:
            yield f"wrote {statement}"
            yield from statement_commands(terms.statement, statement)
        if proof_psbt is not None:
            yield f"wrote {proof_psbt}: devices sign it; then `custody psbt finalize`, and bring the text with --proof"
        if output is not None:
            yield f"wrote {output}"
        elif view.missing:
            yield f"next: another officer runs `custody address attest {terms.index} --key FILE --as NAME`"
        else:
            yield f"next: custody address attest {terms.index} -o FILE"

    return Answer({**view.to_json(), **files}, lines)
