"""`custody allowlist …`: destinations by name, each added under approval and usable after its waiting time."""

from collections.abc import Iterable

import click

from custody.errors import JsonValue
from custody.people.allowlist import AllowEntry
from custody.people.change import ChangeKind, Payload
from custody.spend.expiry import format_time
from custody.workflow.change_governance import propose_change
from custody.workflow.office import decide_again, open_office
from custody_cli.change_screen import change_answer
from custody_cli.loading import workspace_of
from custody_cli.options import NounGroup, examples, read_input
from custody_cli.output import Answer, Line
from custody_cli.session import Session
from custody_cli.system import surroundings_of

_MAX_DESCRIPTOR = 64_000


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody --vault reserve allowlist add exchange --address bc1q… --note 'desk of bank X'",
        "custody --vault reserve allowlist list",
    ),
)
def allowlist() -> None:
    """The allowlist: named destinations that the policy lets payments go to."""


@allowlist.command(
    epilog=examples(
        "custody allowlist add exchange --address bc1q… --note 'desk of bank X'",
        "custody allowlist add recovery --descriptor recovery-vault.txt",
    )
)
@click.argument("name")
@click.option("--address", metavar="ADDRESS", help="One address.")
@click.option("--descriptor", metavar="FILE", help="A file with a vault's descriptor: all its receive addresses.")
@click.option("--note", metavar="TEXT", help="Who or what it is; part of what officers sign.")
@click.option("--reason", metavar="TEXT", help="Why; part of what officers sign.")
@click.pass_obj
def add(
    session: Session, name: str, address: str | None, descriptor: str | None, note: str | None, reason: str | None
) -> Answer:
    """Propose a destination. Officers sign the change; the entry is usable after the policy's waiting time."""
    if (address is None) is (descriptor is None):
        raise click.UsageError("name the destination by --address or by --descriptor")
    text = None
    if descriptor is not None:
        text = read_input(descriptor, max_bytes=_MAX_DESCRIPTOR).decode("ascii", errors="replace").strip()
    entry = AllowEntry(name, address, text, note)
    return change_answer(
        decide_again(
            workspace_of(session),
            surroundings_of(session),
            lambda desk: propose_change(desk, ChangeKind.ALLOW, Payload(entry=entry), reason=reason),
        )
    )


@allowlist.command(epilog=examples("custody allowlist remove exchange --reason 'account closed'"))
@click.argument("name")
@click.option("--reason", metavar="TEXT", help="Why; part of what officers sign.")
@click.pass_obj
def remove(session: Session, name: str, reason: str | None) -> Answer:
    """Propose to take a destination off the list; it holds with the signature that completes the quorum."""
    return change_answer(
        decide_again(
            workspace_of(session),
            surroundings_of(session),
            lambda desk: propose_change(desk, ChangeKind.DISALLOW, Payload(name=name), reason=reason),
        )
    )


@allowlist.command("list", epilog=examples("custody allowlist list", "custody allowlist list --json"))
@click.pass_obj
def list_(session: Session) -> Answer:
    """List the destinations in force, and from when each is usable by the chain's time."""
    gov = open_office(workspace_of(session)).state.governance
    rows = [*gov.allowlist.values()]
    entries: list[JsonValue] = [
        {
            **one.entry.to_document(),
            "usable_from": format_time(one.usable_from),
            "usable": one.usable_from <= gov.time,
        }
        for one in rows
    ]

    def lines() -> Iterable[Line]:
        for one in rows:
            when = "usable" if one.usable_from <= gov.time else f"usable from {format_time(one.usable_from)}"
            yield f"{one.entry.name:<20} {one.entry.address or one.entry.descriptor}"
            yield f"{'':<20} {when}{'' if one.entry.note is None else f'; {one.entry.note}'}"
        if not rows:
            yield "the allowlist is empty"

    return Answer({"entries": entries}, lines)
