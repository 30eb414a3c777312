"""The page beside proofs to sign: the message in full, its hash, what is proven, and that it can't spend.

Some devices sign such a proof without showing the message, so the reader is told which, and to compare elsewhere.
Plain text for paper, lines of at most 76 characters, escaped.
"""

import textwrap
from collections.abc import Iterator, Sequence

from custody.audit.reserves.challenge import Challenge
from custody.audit.reserves.prove import Held, Route, UnsignedProof
from custody.audit.reserves.statement import NOT_PROVEN
from custody.bitcoin.amount import format_btc
from custody.bitcoin.bip127 import commitment_hash
from custody.bitcoin.bip322 import message_hash
from custody.documents.display import escape, group_address
from custody.spend.card import psbt_name
from custody.vault.vault import Vault

_WIDTH = 76
_LISTED = 40
"""Addresses that the page lists; the statement has all."""


def proof_page(vault: Vault, challenge: Challenge, held: Held, route: Route, proofs: Sequence[UnsignedProof]) -> bytes:
    """Return the page in UTF-8, one line feed a line."""
    parts = (_head(vault, challenge), _message(challenge, route), _proven(vault, held), _steps(route, proofs), _stop())
    lines = [line for part in parts for line in (*part, "")]
    return "".join(f"{escape(line)}\n" for line in lines[:-1]).encode()


def _head(vault: Vault, challenge: Challenge) -> Iterator[str]:
    yield f"PROOF OF RESERVES {challenge.digest[:8]}"
    yield from _wrapped(
        "You are asked to sign a message, not a payment. Nothing that you sign here can move a coin: no block can hold "
        "the transaction in these files, and `custody psbt review FILE --vault-file vault.yaml` says so (purpose "
        "`proof`) from your own vault file. This page proves nothing: whoever wrote the card wrote it."
    )
    yield ""
    yield f"vault            {vault.name}, {vault.threshold} of {len(vault.cosigners)} on {vault.network}"
    yield f"vault_id begins  {group_address(vault.vault_id[:16])}"
    yield f"challenge        {challenge.digest[:32]}"
    yield f"                 {challenge.digest[32:]}"


def _message(challenge: Challenge, route: Route) -> Iterator[str]:
    yield "THE MESSAGE, ALL OF IT"
    for line in challenge.message.decode("ascii").split("\n"):
        yield from _wrapped(f"| {line}", indent=2)
    yield ""
    digest = commitment_hash(challenge.message) if route is Route.BIP127 else message_hash(challenge.message)
    yield "its hash, as a device shows it:"
    yield f"  {digest.hex()[:32]}"
    yield f"  {digest.hex()[32:]}"
    yield from _wrapped(
        "Ask the auditor, over another channel, for the block and the nonce, and compare them. A device that shows "
        "the message must show these very lines. One that shows a transaction with no fee and an output of nothing "
        "shows no message: then the review on your own computer is what you compare."
    )


def _proven(vault: Vault, held: Held) -> Iterator[str]:
    yield "WHAT IS PROVEN WITH IT"
    sums = dict.fromkeys(held.places, 0)
    for coin in held.coins:
        sums[coin.place] += coin.seen.value
    for place in held.places[:_LISTED]:
        address = vault.address_at(place.branch, place.index)
        yield f"{format_btc(sums[place]):>17} BTC  {place.label} {place.index}"
        yield from textwrap.wrap(group_address(address), _WIDTH, initial_indent="    ", subsequent_indent="    ")
    if len(held.places) > _LISTED:
        yield f"    and {len(held.places) - _LISTED} more addresses, which the statement lists"
    yield f"{format_btc(held.total):>17} BTC  in {len(held.coins)} coin(s): the sum that the auditor is told"
    yield "It does not prove:"
    for text in NOT_PROVEN:
        yield from _wrapped(f"  - {text}", indent=4)


def _steps(route: Route, proofs: Sequence[UnsignedProof]) -> Iterator[str]:
    yield "STEPS"
    first, last = psbt_name(proofs[0].name), psbt_name(proofs[-1].name)
    files = first if len(proofs) == 1 else f"{len(proofs)} files, {first} to {last}"
    words = [
        f"On a computer of your own: custody psbt review {first} --vault-file vault.yaml, and so for each file. Go on "
        "only if it says that it is a proof, and shows the message above.",
        f"Sign on your device: {files}. By cable: custody audit reserves sign FOLDER --challenge FILE --device NAME.",
        "Give back the signed files. The office runs custody audit reserves prove --challenge FILE --signed FOLDER.",
    ]
    if route is Route.BIP127:
        words.insert(1, "The first input of the file is nobody's coin, on purpose: some devices refuse it.")
    for number, text in enumerate(words, start=1):
        yield from _wrapped(f"{number}. {text}", indent=3)


def _stop() -> Iterator[str]:
    yield "STOP AND CALL THE OFFICE AND ANOTHER SIGNER"
    yield from _wrapped(
        "if a device shows a payee, an amount that leaves, a fee, or another message; or if you are told to hurry."
    )


def _wrapped(text: str, *, indent: int = 0) -> list[str]:
    return textwrap.wrap(
        escape(text), _WIDTH, subsequent_indent=" " * indent, break_long_words=True, break_on_hyphens=False
    )
