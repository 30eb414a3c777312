"""`custody pin`: the signer's own record of which officers, policy and governance to trust."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from custody import atomic
from custody.audit.bundle import MAX_BYTES, Bundle
from custody.audit.waited_changes import change_words, status_words
from custody.codes import Code
from custody.errors import NotYet
from custody.spend.expiry import format_time
from custody.workflow.pin_governance import Pinning, first_pin, next_pin
from custody_cli.bundle_review import read_pin
from custody_cli.loading import load_vault_at
from custody_cli.options import NounGroup, examples, read_input
from custody_cli.output import Answer, Line, Style, Styled, print_lines
from custody_cli.question import ask
from custody_cli.review_screen import wrapped

_SHORTEST_DIGEST = 8
_LABEL = 12

_bundle = click.argument("bundle", metavar="BUNDLE")
_vault_file = click.option(
    "--vault-file", required=True, metavar="FILE", help="Your own copy of the vault file: what you trust."
)
_pin = click.option("--pin", "pin_file", required=True, metavar="FILE", help="Your own trust pin.")
_confirm = click.option(
    "--confirm-digest", metavar="TEXT", help="For scripts: what a person would type, 8 characters or more."
)


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody pin create payment.bundle --vault-file vault.yaml --pin trust.yaml",
        "custody pin advance payment.bundle --vault-file vault.yaml --pin trust.yaml",
    ),
)
def pin() -> None:
    """A signer's trust pin: whose officers and policy count. No workspace, no network."""


@pin.command(epilog=examples("custody pin create payment.bundle --vault-file vault.yaml --pin trust.yaml"))
@_bundle
@_vault_file
@_pin
@_confirm
def create(bundle: str, vault_file: str, pin_file: str, confirm_digest: str | None) -> Answer:
    """Trust the officers and policy that BUNDLE shows, after you compared the newest digest with the other signers.

    A pin that exists is never overwritten (exit 7).
    """
    atomic.require_creatable(Path(pin_file))
    pinning = first_pin(Bundle.from_bytes(read_input(bundle, max_bytes=MAX_BYTES)), load_vault_at(vault_file))
    _confirm_digest(pinning, confirm_digest)
    atomic.create_file(Path(pin_file), pinning.pin.to_bytes())
    return _answer(pinning, pin_file)


@pin.command(epilog=examples("custody pin advance payment.bundle --vault-file vault.yaml --pin trust.yaml"))
@_bundle
@_vault_file
@_pin
@_confirm
def advance(bundle: str, vault_file: str, pin_file: str, confirm_digest: str | None) -> Answer:
    """Carry your pin on to the governance that BUNDLE shows, after you compared its digest with the others.

    It also settles changes that had to wait: ask the officers whether anybody refused one.
    It never goes back and never changes to another founding or vault (exit 3).
    """
    pinned = read_pin(pin_file)
    read = Bundle.from_bytes(read_input(bundle, max_bytes=MAX_BYTES))
    pinning = next_pin(read, load_vault_at(vault_file), pinned)
    _confirm_digest(pinning, confirm_digest)
    atomic.replace_file(Path(pin_file), pinning.pin.to_bytes())
    return _answer(pinning, pin_file)


def _answer(pinning: Pinning, pin_file: str) -> Answer:
    return Answer({**pinning.to_json(), "file": pin_file}, lambda: (f"wrote {pin_file}", *_pinning_lines(pinning)))


def _confirm_digest(pinning: Pinning, given: str | None) -> None:
    """Show what is about to be trusted, and demand the beginning of the digest that people compare.

    Raises:
        NotYet: CONFIRMATION_EMPTY or CONFIRMATION_MISMATCH.
    """
    which = "founding" if pinning.pin.governance.number == 0 else "newest governance"
    settling = any(one.change.number <= pinning.pin.settled for one in pinning.waited)
    asked = "Ask the officers whether anybody refused what had to wait, and since when it is in force.\n" * settling
    if given is None:
        print_lines(_pinning_lines(pinning), sys.stderr)
        given = ask(
            f"{asked}Compare the whole {which} digest with the other signers, over a channel that you trust.\n"
            f"Then type its first {_SHORTEST_DIGEST} characters, or nothing to stop: "
        )
    typed = given.strip().lower()
    if len(typed) < _SHORTEST_DIGEST or not pinning.compared_digest.startswith(typed):
        raise NotYet(
            Code.CONFIRMATION_MISMATCH,
            f"what was typed is not how the {which} digest begins",
            advice="Compare the whole digest with the other signers again; if it differs from theirs, raise the alarm.",
        )


def _pinning_lines(pinning: Pinning) -> Iterator[Line]:
    gov, trusted = pinning.governance, pinning.pin
    yield Styled(f"What {'is' if pinning.before is None else 'is now'} to be trusted", Style.STRONG)
    yield f"{'vault_id':<{_LABEL}}{trusted.vault_id}"
    yield f"{'founding':<{_LABEL}}{trusted.founding}"
    yield f"{'governance':<{_LABEL}}{trusted.governance.digest}"
    yield f"{'':<{_LABEL}}statement {trusted.governance.number}{_since(pinning)}"
    for row, one in enumerate(gov.officers.values()):
        text = f"{'officers' if row == 0 else '':<{_LABEL}}{one.name} ({', '.join(sorted(one.roles))})"
        yield from wrapped(text, indent=_LABEL)
        yield f"{'':<{_LABEL}}  {one.key.fingerprint}"
    if gov.policy is not None:
        yield f"{'policy':<{_LABEL}}{gov.policy.digest}"
        yield f"{'':<{_LABEL}}{gov.policy.name}, version {gov.policy.version}"
    yield from _waited_lines(pinning)
    seen = trusted.checkpoint
    yield from wrapped(f"{'checkpoint':<{_LABEL}}{'none' if seen is None else seen.words()}", indent=_LABEL)
    yield f"{'chain time':<{_LABEL}}{format_time(pinning.time)}, by the bundle's word; it is not kept"
    if gov.suspended_by is not None:
        yield Styled(f"{'spending':<{_LABEL}}suspended by {gov.suspended_by}", Style.CARE)


def _waited_lines(pinning: Pinning) -> Iterator[Line]:
    """Show what had to wait and was not settled before: a person confirms what became of it."""
    for one in pinning.waited:
        settles = one.change.number <= pinning.pin.settled
        trust = "you confirm this" if settles else "NOT trusted yet"
        label = "settles" if settles else "not settled"
        for line in wrapped(f"{label:<{_LABEL}}{change_words(one)}; {status_words(one)}: {trust}", indent=_LABEL):
            yield Styled(line, Style.CARE)


def _since(pinning: Pinning) -> str:
    return "" if pinning.before is None else f"; your pin has seen statement {pinning.before.governance.number}"
