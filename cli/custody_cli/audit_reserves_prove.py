"""`custody audit reserves prove`: the holder's proofs to sign, and the statement once they are signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import click

from custody import atomic
from custody.audit.reserves.challenge import MAX_BYTES, Challenge, parse_challenge
from custody.audit.reserves.prove import SIGNED_ROUTES, Held, Route
from custody.audit.state import State
from custody.chain.open_backend import Backend
from custody.vault.vault import Vault
from custody.workflow.attest_reserves import PlannedPayment, payment_proof, plan_payment, record_attested
from custody.workflow.office import Desk, decide_again_from_the_start, open_office
from custody.workflow.prove_reserves import (
    Attested,
    attest,
    finish_reserves,
    held_at,
    proofs_to_sign,
    require_answerable,
)
from custody.workflow.reserves_folder import (
    MAX_FILE_BYTES,
    files_of,
    is_answer,
    is_proof,
    require_returned,
    write_proofs,
)
from custody_cli.audit_reserves_prove_screen import handed_out_answer, payment_answer, written_answer
from custody_cli.audit_sources import (
    ChainArguments,
    ChainChoice,
    VaultChoice,
    chain_options,
    vault_options,
)
from custody_cli.loading import workspace_of
from custody_cli.options import CustodyCommand, examples, read_input
from custody_cli.output import Answer
from custody_cli.session import Session
from custody_cli.system import surroundings_of


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the command line asks for."""

    challenge: Challenge
    challenge_file: str
    source: ChainChoice
    max_age: int | None
    disclose_descriptor: bool


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody audit reserves prove --challenge challenge.json -o /media/card/proofs",
        "custody audit reserves prove --challenge challenge.json --signed /media/card/proofs -o statement.json",
        "custody audit reserves prove --challenge challenge.json --route payment",
        "custody audit reserves prove --challenge challenge.json --route payment --txid TXID "
        "--disclose descriptor -o statement.json",
    ),
)
@click.option("--challenge", "challenge_file", required=True, metavar="FILE", help="As the auditor sent it.")
@click.option(
    "--route",
    type=click.Choice([str(route) for route in Route]),
    help="How; bip322 unless you say otherwise. With --signed it is found from the files. `plan` says which fit.",
)
@click.option(
    "--signed",
    "signed_places",
    multiple=True,
    metavar="FILE|FOLDER",
    help="What came back signed, all of it together; of a folder the files that are about these proofs.",
)
@click.option("--txid", metavar="HEX", help="With --route payment: the payment, once it is in a block and synced.")
@click.option(
    "--disclose",
    type=click.Choice(["addresses", "descriptor"]),
    default="addresses",
    show_default=True,
    help="What the statement shows of the vault: its funded addresses, or all of it, past and future.",
)
@click.option("--max-age", type=click.IntRange(min=0), metavar="BLOCKS", help="Answer a challenge up to so old.")
@click.option("-o", "--output", metavar="PATH", help="A folder or card for the proofs; a new file for the statement.")
@vault_options
@chain_options
@click.pass_obj
def prove(
    session: Session,
    challenge_file: str,
    route: str | None,
    signed_places: tuple[str, ...],
    txid: str | None,
    disclose: str,
    max_age: int | None,
    output: str | None,
    vault_file: str | None,
    descriptor: str | None,
    network: str | None,
    **chain: Unpack[ChainArguments],
) -> Answer:
    """Prove to an auditor that the vault's keys are held: first the files to sign, then the statement.

    What is signed can't be spent, but for the route `payment`, a small real payment to ourselves. Without --vault-file
    the workspace's vault is taken, and the statement is journalled there.
    """
    challenge = parse_challenge(read_input(challenge_file, max_bytes=MAX_BYTES))
    terms = _Terms(challenge, challenge_file, ChainChoice(**chain), max_age, disclose == "descriptor")
    choice = VaultChoice(vault_file, descriptor, network)
    own = vault_file is None and descriptor is None
    if txid is not None or route == Route.PAYMENT:
        if signed_places or not own or (txid is not None and (route != Route.PAYMENT or not terms.disclose_descriptor)):
            raise click.UsageError(
                "--txid goes with --route payment and --disclose descriptor; a payment is made in a workspace, "
                "and --signed is for the other routes"
            )
        return _by_payment(session, terms, txid, output)
    if output is None:
        raise click.UsageError("name with -o a folder for the proofs, or with --signed the statement's new file")
    chosen = None if route is None else Route(route)
    if not signed_places:
        return _write_proofs(session, terms, choice, chosen or SIGNED_ROUTES[0], Path(output))
    returned, unsigned = _returned(signed_places)
    if not returned:
        session.talk(f"nothing that is signed lies in {', '.join(signed_places)}")
    atomic.require_creatable(Path(output))

    def finish(vault: Vault, state: State | None, backend: Backend) -> Attested:
        held = _held(session, terms, vault, state, backend)
        return finish_reserves(
            vault,
            challenge,
            held,
            returned,
            chosen,
            disclose_descriptor=terms.disclose_descriptor,
            backend=backend,
            progress=session.progress,
            max_age=max_age,
            unsigned=unsigned,
        )

    if own:

        def step(desk: Desk) -> Attested:
            with terms.source.opened(session, desk.vault.network) as backend:
                made = finish(desk.vault, desk.state, backend)
            record_attested(desk, made)
            return made

        attested = decide_again_from_the_start(workspace_of(session), surroundings_of(session), step)
    else:
        vault = choice.load(session)
        with terms.source.opened(session, vault.network) as backend:
            attested = finish(vault, None, backend)
    return _handed_out(session, terms, attested, output, journalled=own)


def _held(session: Session, terms: _Terms, vault: Vault, state: State | None, backend: Backend) -> Held:
    require_answerable(vault, terms.challenge, backend, terms.max_age)
    return held_at(vault, state, terms.challenge, backend, session.progress)


def _write_proofs(session: Session, terms: _Terms, choice: VaultChoice, route: Route, folder: Path) -> Answer:
    own = choice.vault_file is None and choice.descriptor is None
    office = open_office(workspace_of(session)) if own else None
    vault = choice.load(session) if office is None else office.vault
    with terms.source.opened(session, vault.network) as backend:
        held = _held(session, terms, vault, None if office is None else office.state, backend)
        proofs = proofs_to_sign(vault, terms.challenge, held, route, backend)
    names = write_proofs(folder, vault, terms.challenge, held, route, proofs)
    return written_answer(terms.challenge, terms.challenge_file, held, route, proofs, names, folder)


def _by_payment(session: Session, terms: _Terms, txid: str | None, output: str | None) -> Answer:
    if txid is not None and output is None:
        raise click.UsageError("name with -o the statement's new file")
    if output is not None:
        atomic.require_creatable(Path(output))

    def step(desk: Desk) -> PlannedPayment | Attested:
        with terms.source.opened(session, desk.vault.network) as backend:
            held = _held(session, terms, desk.vault, desk.state, backend)
            if txid is None:
                return plan_payment(desk, terms.challenge, held)
            made = attest(
                desk.vault,
                terms.challenge,
                held,
                [payment_proof(desk.vault, desk.state, terms.challenge, held, txid, backend)],
                disclose_descriptor=True,
                backend=backend,
                progress=session.progress,
                max_age=terms.max_age,
            )
        record_attested(desk, made)
        return made

    done = decide_again_from_the_start(workspace_of(session), surroundings_of(session), step)
    if isinstance(done, Attested):
        return _handed_out(session, terms, done, output or "", journalled=True)
    return payment_answer(terms.challenge, terms.challenge_file, done)


def _handed_out(session: Session, terms: _Terms, made: Attested, output: str, *, journalled: bool) -> Answer:
    atomic.create_file(Path(output), made.statement.to_bytes())
    with terms.source.opened(session, terms.challenge.network) as backend:
        tip = backend.tip()
    return handed_out_answer(terms.challenge, made, output, tip, terms.source.describe(), journalled=journalled)


def _returned(places: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
    """Return the files named and the signed ones of folders, and the unsigned proofs that lie beside those.

    Each that is taken passes the secret gate.
    """
    found: list[tuple[str, bytes]] = []
    unsigned: list[tuple[str, bytes]] = []
    for place in places:
        if Path(place).is_dir():
            inside = files_of(Path(place))
            signed = [name for name, data in inside if is_answer(data)]
            found += [(name, read_input(str(Path(place) / name), max_bytes=MAX_FILE_BYTES)) for name in signed]
            unsigned += [(name, data) for name, data in inside if name not in signed and is_proof(data)]
        else:
            data = read_input(place, max_bytes=MAX_FILE_BYTES)
            require_returned(Path(place).name, data)
            found.append((Path(place).name, data))
    return found, unsigned
