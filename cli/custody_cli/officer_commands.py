"""`custody officer …`: people with an SSH key. Before the founding they are named, after it they are enrolled."""

from collections.abc import Iterable

import click

from custody.documents.sshsig_keys import SshPublicKey
from custody.errors import JsonValue
from custody.people.change import ChangeKind, Payload
from custody.people.officer import Officer
from custody.workflow.change_governance import (
    name_officer,
    propose_change,
    require_officer,
    unname_officer,
)
from custody.workflow.office import Desk, decide_again, open_office
from custody_cli.change_screen import change_answer
from custody_cli.loading import workspace_of
from custody_cli.options import NounGroup, examples, read_input
from custody_cli.output import Answer, Line
from custody_cli.session import Session
from custody_cli.system import surroundings_of

_MAX_KEY_FILE = 64_000


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody --vault reserve officer add ann --role approver --role administrator --key ann.pub",
        "custody --vault reserve officer list",
        "custody --vault reserve officer revoke ann --reason 'left the bank'",
    ),
)
def officer() -> None:
    """Officers: who may draft, approve, sign and administer, each with an SSH public key."""


@officer.command(
    epilog=examples(
        "custody officer add ann --role approver --role board --key ~/ann.pub",
        "custody officer add dora --role drafter --key - < dora.pub",
    )
)
@click.argument("name")
@click.option("--role", "roles", multiple=True, required=True, metavar="ROLE", help="Repeat for several.")
@click.option("--key", required=True, metavar="FILE", help="The person's OpenSSH public key; `-` is stdin.")
@click.option("--reason", metavar="TEXT", help="Why; part of what officers sign.")
@click.pass_obj
def add(session: Session, name: str, roles: tuple[str, ...], key: str, reason: str | None) -> Answer:
    """Name a founder before `vault found`; afterwards propose an enrolment, which the officers in force sign.

    Roles known here: drafter, approver, signer, auditor, administrator. A policy may invent others.
    """
    text = read_input(key, max_bytes=_MAX_KEY_FILE).decode("ascii", errors="replace")
    new = Officer(name, frozenset(roles), SshPublicKey.from_text(text.strip()))

    def step(desk: Desk) -> Answer:
        if desk.state.governance.is_founded:
            return change_answer(propose_change(desk, ChangeKind.ENROL, Payload(officers=(new,)), reason=reason))
        name_officer(desk, new)
        return Answer(
            {"named": _json(new), "founded": False},
            lambda: (
                f"named {_words(new)}",
                "No authority yet: `custody vault found --policy FILE` makes the statement that every founder signs.",
            ),
        )

    return decide_again(workspace_of(session), surroundings_of(session), step)


@officer.command("list", epilog=examples("custody officer list", "custody officer list --json"))
@click.pass_obj
def list_(session: Session) -> Answer:
    """List the officers in force; before the founding, those named for it."""
    gov = open_office(workspace_of(session)).state.governance
    in_force, named = [*gov.officers.values()], [*gov.named.values()]

    def lines() -> Iterable[Line]:
        yield from (_words(one) for one in in_force)
        yield from (f"{_words(one)}  named, no authority yet" for one in named)
        if not in_force and not named:
            yield "no officer is named or in force"

    officers: list[JsonValue] = [_json(one) for one in in_force]
    return Answer(
        {"founded": gov.is_founded, "officers": officers, "named": [_json(one) for one in named]},
        lines,
    )


@officer.command(epilog=examples("custody officer revoke ann --reason 'left the bank'"))
@click.argument("name")
@click.option("--reason", metavar="TEXT", help="Why; part of what officers sign.")
@click.pass_obj
def revoke(session: Session, name: str, reason: str | None) -> Answer:
    """Propose to end an officer's enrolment; it ends with the signature that completes the quorum.

    A key that was revoked never comes back. Before the founding this takes a name back.
    """

    def step(desk: Desk) -> Answer:
        if not desk.state.governance.is_founded:
            unname_officer(desk, name)
            return Answer({"unnamed": name, "founded": False}, lambda: (f"{name} is named no more",))
        require_officer(desk.state.governance, name)
        return change_answer(propose_change(desk, ChangeKind.REVOKE, Payload(name=name), reason=reason))

    return decide_again(workspace_of(session), surroundings_of(session), step)


def _json(one: Officer) -> dict[str, JsonValue]:
    return {**one.to_document(), "fingerprint": one.key.fingerprint}


def _words(one: Officer) -> str:
    return f"{one.name:<12} {', '.join(sorted(one.roles)):<32} {one.key.key_type} {one.key.fingerprint}"
