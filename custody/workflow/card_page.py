"""The page that goes with a PSBT on a card: what its signer will do, see and compare. Plain text, for paper too.

It says what this office knows, and proves nothing: its first lines send the reader to the
payee's own statement, to their own vault file and to the screen of their device. Lines are
at most 76 characters and escaped, so that a reason can't forge one.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from custody.bitcoin.address import address_of, script_of
from custody.bitcoin.amount import format_btc
from custody.bitcoin.network import Network
from custody.documents.display import escape, group_address
from custody.spend.card import CardDevice, bundle_name, filled, psbt_name
from custody.spend.review_time import LOCKTIME_THRESHOLD
from custody.vault.vault import Vault
from custody.workflow.clock import rfc3339
from custody.workflow.proposal_view import ProposalView

_WIDTH = 76
_SHORT_HASH = 16


@dataclass(frozen=True, slots=True)
class CardReader:
    """For whom a page is written."""

    cosigner: str
    stem: str
    device: CardDevice
    firmware: str | None
    has_bundle: bool


def card_page(vault: Vault, view: ProposalView, reader: CardReader) -> bytes:
    """Return the page in UTF-8, one line feed a line."""
    parts = (_head(vault, view, reader), _screen(vault, view, reader.device), _steps(view, reader), _stop())
    lines = [line for part in parts for line in (*part, "")]
    return "".join(f"{escape(line)}\n" for line in lines[:-1]).encode()


def _head(vault: Vault, view: ProposalView, reader: CardReader) -> Iterator[str]:
    proposal = view.record.proposal
    yield f"PAYMENT {view.proposal_id[:8]} FOR {reader.cosigner}"
    yield from _wrapped(
        "This page can't move money and proves nothing: whoever wrote the card wrote it. What counts is what your "
        "device shows, what your own vault file says, and what the payee told you themselves."
    )
    yield ""
    yield f"file for the device   {psbt_name(reader.stem)}"
    yield f"device                {reader.device.model}" + (f", firmware {reader.firmware}" if reader.firmware else "")
    yield f"vault                 {vault.name}, {vault.threshold} of {len(vault.cosigners)} on {vault.network}"
    yield f"vault_id begins       {group_address(vault.vault_id[:_SHORT_HASH])}"
    yield "                      (see: custody vault verify --vault-file vault.yaml)"
    yield f"unsigned txid         {proposal.unsigned_txid[:32]}"
    yield f"                      {proposal.unsigned_txid[32:]}"
    yield f"expires               {proposal.expires}"
    if proposal.reason is not None:
        yield from _wrapped(f"reason                {proposal.reason}", indent=22)
    if view.approved_by:
        yield from _wrapped(f"approved by           {', '.join(view.approved_by)}", indent=22)
    signed = view.review.signing
    yield from _wrapped(
        f"signed so far         {len(signed.signed)} of {signed.threshold}: {', '.join(signed.signed) or 'nobody'}",
        indent=22,
    )


def _screen(vault: Vault, view: ProposalView, device: CardDevice) -> Iterator[str]:
    proposal = view.record.proposal
    yield "WHAT THE SCREEN MUST SHOW, ALL OF IT AND NOTHING ELSE"
    for one in proposal.destinations:
        yield f"pays      {format_btc(one.value):>17} BTC {one.value:>17} sat"
        yield from _address(one.address, vault.network)
    for back in proposal.change:
        yield f"change    {format_btc(back.value):>17} BTC {back.value:>17} sat"
        yield from _address(back.address, vault.network)
    yield f"fee       {format_btc(proposal.fee):>17} BTC {proposal.fee:>17} sat"
    yield ""
    if not proposal.change:
        yield "Nothing comes back: there is no change."
    else:
        yield from _wrapped(
            "Change comes back to the vault. A device that shows it as a payment does not know the vault: stop, and "
            "register the vault on the device first."
        )
        if device.change is not None:
            yield from _wrapped(f"{device.model}: {device.change}")
    yield from _locktime(proposal.unsigned_transaction.locktime)
    if vault.network is Network.REGTEST:
        yield from _wrapped("Most devices write tb1 for every test network; the second spelling is the same script.")
    if device.screen:
        yield f"{device.model} shows, one after the other:"
        for line in device.screen:
            yield from _wrapped(f"  - {line}", indent=4)


def _address(address: str, network: Network) -> Iterator[str]:
    yield from _grouped(address)
    if network is Network.REGTEST:
        on_tests = address_of(script_of(address, network), Network.TESTNET4)
        if on_tests is not None and on_tests != address:
            yield from _grouped(on_tests)


def _grouped(address: str) -> Iterator[str]:
    yield from textwrap.wrap(
        group_address(address), _WIDTH, initial_indent="          ", subsequent_indent="          "
    )


def _locktime(locktime: int) -> Iterator[str]:
    if locktime == 0:
        yield "No locktime is set."
        return
    point = f"block {locktime}" if locktime < LOCKTIME_THRESHOLD else rfc3339(locktime)
    yield from _wrapped(
        f"The device may show a locktime: {point}. That is meant: the payment can't be mined before that point, which "
        "is how wallets keep miners from rewriting old blocks for fees. Any other number is a reason to stop."
    )


def _steps(view: ProposalView, reader: CardReader) -> Iterator[str]:
    yield "STEPS"
    proposal, file = view.record.proposal, psbt_name(reader.stem)
    review = f"custody psbt review {file} --vault-file vault.yaml --expect-txid TXID"
    words = [
        f"On a computer of your own, best without a network:  sha256sum -c {reader.stem}-sha256.txt",
        f"There too:  {review}  with the unsigned txid that you were told over another channel; it begins "
        f"{proposal.unsigned_txid[:8]}. Go on only if the verdict is not REFUSED.",
    ]
    if reader.has_bundle:
        words[1] = (
            f"There too:  custody psbt review {bundle_name(reader.stem)} --vault-file vault.yaml --pin trust.yaml  "
            "with your own vault file and pin. Go on only if the verdict is not REFUSED."
        )
    words += [filled(step, file=file, cosigner=reader.cosigner) for step in reader.device.steps]
    words += [
        "Compare on the device: each address to the last character, each amount, the fee, the change.",
        f"Sign. The device answers with {filled(reader.device.answer, stem=reader.stem)}.",
        "Bring or send back the whole card or that file. The office runs  custody proposal add FOLDER  and tells "
        "you that your signature counts.",
    ]
    for number, text in enumerate(words, 1):
        yield from _wrapped(f"{number}. {text}", indent=3)


def _stop() -> Iterator[str]:
    yield "STOP AND CALL THE OFFICE AND ANOTHER SIGNER"
    yield from _wrapped(
        "if an address, an amount, the fee or the locktime differs; if the device warns of anything; if you are told "
        "to hurry, to sign again, or to skip a step."
    )


def _wrapped(text: str, *, indent: int = 0) -> list[str]:
    # Escaped before it is wrapped: a line break in a reason must not start a line of its own.
    return textwrap.wrap(
        escape(text), _WIDTH, subsequent_indent=" " * indent, break_long_words=True, break_on_hyphens=False
    )
