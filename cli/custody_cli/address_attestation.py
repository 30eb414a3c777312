"""`custody address verify --attestation`: what a payer can know of an address that came with officers' signatures."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypedDict, TypeVar, Unpack

import click

from custody import atomic
from custody.codes import Code
from custody.documents.display import group_address
from custody.documents.secret_gate import scan_text
from custody.people.known_officers import KnownOfficers, is_fingerprint, known_officers
from custody.people.receive_check import (
    CheckedReceive,
    CheckedSignature,
    PayersQuestion,
    ReceiveVerdict,
    check_receive,
)
from custody.people.receive_document import MAX_BYTES, ReceiveDocument
from custody.people.statement import StatementKind, money
from custody.vault.formats import vault_file
from custody_cli.options import read_input
from custody_cli.output import Answer, Line, Style, Styled, finding_lines, findings_json

_MAX_SIGNERS_FILE = 1_000_000
_MAX_KEY_FILE = 20_000

_Function = TypeVar("_Function", bound=Callable[..., object])

_OPTIONS = (
    click.option("--attestation", metavar="FILE", help="Check a document of `address attest`; no wallet is needed."),
    click.option(
        "--officers",
        "officer_lists",
        multiple=True,
        metavar="FILE",
        help="The vault's officers as you know them: an allowed_signers file of OpenSSH. Repeat for more.",
    ),
    click.option(
        "--officer-key",
        "officer_keys",
        multiple=True,
        metavar="FILE|SHA256:…",
        help="One officer's public key, or its fingerprint. Repeat for more.",
    ),
    click.option(
        "--require",
        "minimum",
        type=click.IntRange(1, 20),
        metavar="N",
        help="How many of them must have signed; two by default, where you know as many.",
    ),
    click.option("--tip-height", type=click.IntRange(0), metavar="N", help="The newest block, to judge the expiry."),
)


class PayerOptions(TypedDict):
    """What `attestation_options` bring, as a command takes them."""

    officer_lists: tuple[str, ...]
    officer_keys: tuple[str, ...]
    minimum: int | None
    tip_height: int | None


def attestation_options(function: _Function) -> _Function:
    """Give `address verify` the payer's options."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def verify_attestation(
    attestation: str, address: str | None, vault_file_path: str | None, **payer: Unpack[PayerOptions]
) -> Answer:
    """Answer from the document, the payer's keys and, where given, the vault file; nothing else is read."""
    document = ReceiveDocument.from_bytes(read_input(attestation, max_bytes=MAX_BYTES))
    vault = None
    if vault_file_path is not None:
        vault = vault_file.parse(read_input(vault_file_path, max_bytes=vault_file.MAX_BYTES))
    question = PayersQuestion(
        officers=_officers(payer["officer_lists"], payer["officer_keys"]),
        minimum=payer["minimum"],
        address=address,
        tip_height=payer["tip_height"],
        vault=vault,
    )
    return _answer(check_receive(document, question), address)


def _officers(lists: tuple[str, ...], keys: tuple[str, ...]) -> KnownOfficers:
    texts = [read_input(place, max_bytes=_MAX_SIGNERS_FILE).decode("utf-8", errors="replace") for place in lists]
    return known_officers(texts, [_key_text(one) for one in keys], namespace=StatementKind.RECEIVE.namespace)


def _key_text(given: str) -> str:
    if is_fingerprint(given):
        return given
    scan_text(given, place="--officer-key")
    # A key is judged by its own reader, whose gate comes after it: chance makes some base64 look like a secret.
    return atomic.read_file(Path(given), max_bytes=_MAX_KEY_FILE).decode("utf-8", errors="replace")


def _answer(found: CheckedReceive, given: str | None) -> Answer:
    terms = found.terms
    return Answer(
        {
            "verdict": str(found.verdict),
            "address": terms.address,
            "address_given": given,
            "network": str(terms.network),
            "vault": terms.vault,
            "vault_id": terms.vault_id,
            "branch": "receive",
            "index": terms.index,
            "amount_sats": terms.amount,
            "payer": terms.payer,
            "purpose": terms.purpose,
            "drafter": terms.drafter,
            "expires_height": terms.expires_height,
            "expired": found.expired,
            "officers_needed": found.needed,
            "officers_counted": found.counted,
            "signatures": [one.to_json() for one in found.signatures],
            "proof": None if found.proof is None else str(found.proof),
            "derived": found.derived,
            "findings": findings_json(found.findings),
        },
        lambda: _lines(found, given),
        0 if found.verdict is ReceiveVerdict.VERIFIED else 3,
    )


_VERDICTS = {
    ReceiveVerdict.VERIFIED: Styled("VERIFIED: officers whom you know signed this address", Style.GOOD),
    ReceiveVerdict.UNVERIFIED: Styled("UNVERIFIED: nobody whom you know vouches for this address", Style.BAD),
    ReceiveVerdict.REFUSED: Styled("REFUSED: don't pay", Style.BAD),
}


def _lines(found: CheckedReceive, given: str | None) -> Iterable[Line]:
    terms = found.terms
    yield _VERDICTS[found.verdict]
    if any(one.code is Code.ADDRESS_NOT_ATTESTED for one in found.findings):
        yield Styled(f"you gave {group_address(given or '')}", Style.BAD)
        yield "which is not the address of the document:"
    elif given is not None:
        yield "the address that you gave is the document's:"
    yield Styled(group_address(terms.address), Style.STRONG)
    yield terms.address
    yield f"network  {terms.network}"
    yield f"amount   {'any' if terms.amount is None else money(terms.amount)}"
    yield f"payer    {terms.payer or 'none named'}"
    yield f"purpose  {terms.purpose}"
    yield f"vault    {terms.vault}, id {terms.vault_id}, receive {terms.index}"
    yield f"expires  {_expiry(found)}"
    yield f"signed   by {found.counted} whom you know, of {found.needed} officers needed"
    yield from (f"         {_signer(one)}" for one in found.signatures)
    if found.proof is not None:
        yield f"proof    {found.proof}: a BIP 322 signature by the address's own keys"
    if found.derived:
        yield Styled("derived  the vault file gives this very address", Style.GOOD)
    yield from finding_lines(found.findings)
    yield "not known here: whether a key was revoked since; ask for the officers' keys again from time to time"


def _expiry(found: CheckedReceive) -> str:
    height = found.terms.expires_height
    if height is None:
        return "never; ask again if it is old"
    words = {
        None: "not judged: no chain is looked at (--tip-height N)",
        True: "it is past",
        False: "still good",
    }
    return f"after block {height}: {words[found.expired]}"


def _signer(one: CheckedSignature) -> str:
    if not one.valid:
        return f"{one.claimed}: the signature doesn't hold"
    if one.known_as is None:
        return f"{one.claimed}, key {one.fingerprint}: not one that you named"
    return f"{one.claimed}, key {one.fingerprint}: known to you as {one.known_as}"
