"""`custody cosigner …`: the keys of the vault, and whose custodian has attested to hold the whole descriptor."""

from collections.abc import Iterable
from pathlib import Path

import click

from custody import atomic
from custody.errors import JsonValue
from custody.workflow.attest import attestation_to_sign, record_attestation, unattested
from custody.workflow.office import Desk, decide_again, open_office
from custody_cli.cosigner_describe import describe, shown_signers
from custody_cli.loading import workspace_of
from custody_cli.options import NounGroup, examples
from custody_cli.output import Answer, Line
from custody_cli.session import Session
from custody_cli.setup_commands import accept, request
from custody_cli.setup_record import record
from custody_cli.statement_options import (
    actor_of,
    require_one_way,
    signature_options,
    signature_over,
    statement_commands,
)
from custody_cli.system import surroundings_of


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody --vault reserve cosigner list",
        "custody --vault reserve cosigner describe bo --device ledger --firmware 2.4.6 --custodian 'Bo Berg'",
        "custody --vault reserve cosigner attest cosigner-3 --key ~/.ssh/id_ed25519 --as cy",
    ),
)
def cosigner() -> None:
    """The vault's keys: set up together (BIP 129), their devices described, listed, attested."""


cosigner.add_command(request)
cosigner.add_command(record)
cosigner.add_command(accept)


@cosigner.command("list", epilog=examples("custody cosigner list --json"))
@click.pass_obj
def list_(session: Session) -> Answer:
    """List the cosigners: their devices, what is registered and proven, and who attested to hold the descriptor."""
    office = open_office(workspace_of(session))
    gov = office.state.governance
    demanded = set(unattested(gov, office.vault))
    signers = {one.name: one for one in shown_signers(office)}
    rows: list[dict[str, JsonValue]] = [
        {
            "name": one.name,
            "fingerprint": one.key.origin.fingerprint.hex(),
            "attested_by": gov.attested[one.name].officer if one.name in gov.attested else None,
            "attestation_missing": one.name in demanded,
            **signers[one.name].to_json(),
        }
        for one in office.vault.cosigners
    ]

    def lines() -> Iterable[Line]:
        for row in rows:
            word = f"attested by {row['attested_by']}" if row["attested_by"] else "not attested"
            yield f"{row['name']:<20} {row['fingerprint']}  {word}{', DEMANDED' if row['attestation_missing'] else ''}"
            if office.state.signers.records:
                yield f"{'':<20} {signers[str(row['name'])].words()}"
                yield from signers[str(row["name"])].standing()

    return Answer({"cosigners": [*rows]}, lines)


cosigner.add_command(describe)


@cosigner.command(
    epilog=examples(
        "custody cosigner attest cosigner-3 --key ~/.ssh/id_ed25519 --as cy",
        "custody cosigner attest cosigner-3 --statement attest.txt --as cy",
    )
)
@click.argument("name")
@click.option("--statement", metavar="FILE", help="Only write the statement, to sign it elsewhere.")
@signature_options
@click.pass_obj
def attest(session: Session, name: str, statement: str | None, key: Path | None, signature: str | None) -> Answer:
    """Sign, as the custodian of a key, that you hold the whole descriptor with every cosigner's key and origin."""
    workspace, actor = workspace_of(session), actor_of(session)
    _officer, text = attestation_to_sign(open_office(workspace), name, actor)
    if statement is not None:
        if key is not None or signature is not None:
            raise click.UsageError("--statement writes what is to be signed and signs nothing")
        atomic.create_file(Path(statement), text.signed_bytes)
        return Answer(
            {"file": statement, "statement": text.text, "namespace": text.kind.namespace},
            lambda: (f"wrote {statement}", *statement_commands(text, statement)),
        )
    require_one_way(key, signature)
    armored = signature_over(session, text, key, signature)

    def step(desk: Desk) -> Answer:
        record_attestation(desk, name, actor, armored)
        left = unattested(desk.state.governance, desk.vault)
        said = f"still missing: {', '.join(left)}" if left else "every attestation that the policy asks for is there"
        return Answer({"cosigner": name, "officer": actor, "missing": [*left]}, lambda: (f"{name} attested", said))

    return decide_again(workspace, surroundings_of(session), step)
