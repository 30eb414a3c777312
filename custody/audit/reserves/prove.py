"""The holder's side: the unsigned proofs for a challenge, and the statement that they become.

Proofs follow from vault, challenge and coins alone, so nothing is kept between writing them and taking them
back: whoever finishes builds them again and compares whole transactions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from custody.audit.reserves.challenge import Challenge
from custody.audit.reserves.statement import ClaimedAddress, ClaimedCoin, Proof, ProofKind, Statement
from custody.audit.reserves.view import SeenCoin
from custody.bitcoin.amount import Sats
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_returned import read_returned
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import CheckFailed, NotYet
from custody.spend.card import psbt_name
from custody.spend.progress import SigningProgress
from custody.spend.proof import (
    ProofCoin,
    bip127_proof,
    finish_bip127,
    finish_message,
    message_proof,
    review_proof,
    take_signatures,
)
from custody.spend.psbt_builder import stripped_txid
from custody.spend.review_model import Place
from custody.vault.vault import Vault


class Route(StrEnum):
    """How control of the coins' keys is shown."""

    BIP322 = "bip322"
    """One signed message for each funded address."""
    POF = "pof"
    """One signed message over all coins, a BIP 322 proof of funds."""
    BIP127 = "bip127"
    """One unspendable transaction over all coins."""
    PAYMENT = "payment"
    """A small real payment to ourselves, which every device signs."""


SIGNS_COINS = frozenset({Route.POF, Route.BIP127})
"""Those that need the coins' previous transactions."""
SIGNED_ROUTES = (Route.BIP322, Route.POF, Route.BIP127)
"""Those whose proofs are files to sign."""


@dataclass(frozen=True, slots=True)
class HeldCoin:
    """A coin of the vault, and where its script stands."""

    seen: SeenCoin
    place: Place


@dataclass(frozen=True, slots=True)
class Held:
    """What the vault held right after the challenge's block."""

    coins: tuple[HeldCoin, ...]

    @property
    def places(self) -> tuple[Place, ...]:
        """The funded places, each once, receive branch first."""
        return tuple(sorted({coin.place for coin in self.coins}, key=lambda place: (place.branch, place.index)))

    @property
    def total(self) -> Sats:
        """The sum."""
        return Sats(sum(coin.seen.value for coin in self.coins))


@dataclass(frozen=True, slots=True)
class UnsignedProof:
    """One proof to be signed."""

    number: int
    """From 1."""
    name: str
    """Of its file, without the ending."""
    addresses: tuple[str, ...]
    psbt: Psbt

    @property
    def unsigned_txid(self) -> str:
        """As a returned file's is computed."""
        return stripped_txid(self.psbt.unsigned_transaction())


def unsigned_proofs(
    vault: Vault, challenge: Challenge, held: Held, route: Route, previous: Mapping[str, Transaction]
) -> tuple[UnsignedProof, ...]:
    """Build the proofs of a route that has files to sign; equal arguments give equal bytes.

    `previous` are the coins' transactions by txid, for the routes that sign coins.

    Raises:
        CheckFailed: a coin is not what its previous transaction says, or RESERVE_EMPTY without any coin.
    """
    if not held.coins:
        raise CheckFailed(
            Code.RESERVE_EMPTY,
            f"the vault held no coin at block {challenge.height}",
            advice="Check the vault, and ask the auditor for a block at which it held some.",
        )
    message, tag = challenge.message, challenge.digest[:8]
    if route is Route.BIP322:
        return tuple(
            UnsignedProof(
                number, f"proof-{number:03}-{tag}", (_address(vault, place),), message_proof(vault, place, message)
            )
            for number, place in enumerate(held.places, start=1)
        )
    addresses = tuple(_address(vault, place) for place in held.places)
    coins = [
        ProofCoin(one.seen.outpoint, one.seen.value, one.place, previous[one.seen.outpoint.txid]) for one in held.coins
    ]
    if route is Route.POF:
        psbt = message_proof(vault, held.places[0], message, coins)
    else:
        psbt = bip127_proof(vault, message, coins)
    return (UnsignedProof(1, f"{route}-{tag}", addresses, psbt),)


def with_signatures(
    vault: Vault, proofs: Sequence[UnsignedProof], returned: Sequence[tuple[str, bytes]]
) -> tuple[Psbt, ...]:
    """Return the proofs' PSBTs with every verified signature of the returned files; each comes with its name.

    Raises:
        CheckFailed: DIFFERENT_TRANSACTION, a file is about none of the proofs; or what a signature is refused for.
        NotYet: NO_SIGNATURES in a file. InvalidInput: a file that is neither a PSBT nor a transaction.
    """
    places = {proof.unsigned_txid: at for at, proof in enumerate(proofs)}
    signed = [proof.psbt for proof in proofs]
    for name, data in returned:
        txid = _txid_of(data)
        at = places.get(txid)
        if at is None:
            raise CheckFailed(
                Code.DIFFERENT_TRANSACTION,
                f"file `{name}` is about transaction `{txid}`, which is no proof for this challenge and vault",
                advice="Do not use it. Give the same --route as when the proofs were written; "
                "a coin or a challenge that differs makes other proofs.",
            )
        signed[at] = take_signatures(vault, signed[at], [data])
    return tuple(signed)


def is_about(proofs: Sequence[UnsignedProof], data: bytes) -> bool:
    """Whether a returned file is about one of the proofs."""
    return _txid_of(data) in {proof.unsigned_txid for proof in proofs}


def require_all_signed(
    vault: Vault, proofs: Sequence[UnsignedProof], signed: Sequence[Psbt]
) -> tuple[SigningProgress, ...]:
    """Return who signed each proof, once each has its threshold.

    Raises:
        NotYet: SIGNATURES_MISSING, with who is awaited for which address.
    """
    progress = tuple(review_proof(psbt, vault).signing for psbt in signed)
    missing = [(proof, one) for proof, one in zip(proofs, progress, strict=True) if not one.is_complete]
    if missing:
        raise NotYet(
            Code.SIGNATURES_MISSING,
            f"{len(missing)} of {len(proofs)} proof(s) lack signatures",
            points=[_awaited(proof, one) for proof, one in missing],
            advice="Have them signed, and give all files together, those that you gave now included.",
            details={
                "missing": [
                    {
                        "file": psbt_name(proof.name),
                        "addresses": [*proof.addresses],
                        "signed": [*one.signed],
                        "missing": one.missing,
                        "unsigned": [*one.unsigned],
                    }
                    for proof, one in missing
                ]
            },
        )
    return progress


def finished_proofs(
    vault: Vault, route: Route, proofs: Sequence[UnsignedProof], signed: Sequence[Psbt]
) -> tuple[Proof, ...]:
    """Return the proofs as a statement holds them; each is verified before it is given out."""
    if route is Route.BIP127:
        return tuple(
            Proof(ProofKind.BIP127, proof.addresses, finish_bip127(vault, psbt).serialize().hex())
            for proof, psbt in zip(proofs, signed, strict=True)
        )
    return tuple(
        Proof(ProofKind.BIP322, proof.addresses, finish_message(vault, psbt))
        for proof, psbt in zip(proofs, signed, strict=True)
    )


def statement_of(
    vault: Vault, challenge: Challenge, held: Held, proofs: Sequence[Proof], *, disclose_descriptor: bool
) -> Statement:
    """Return the statement over all that the vault held."""
    return Statement(
        challenge=challenge,
        vault_id=vault.vault_id,
        descriptor=vault.descriptor_text if disclose_descriptor else None,
        addresses=tuple(
            ClaimedAddress(_address(vault, place), place.label, place.index)
            if disclose_descriptor
            else ClaimedAddress(_address(vault, place), None, None)
            for place in held.places
        ),
        coins=tuple(
            ClaimedCoin(coin.seen.outpoint, coin.seen.value, _address(vault, coin.place))
            for coin in sorted(held.coins, key=lambda coin: coin.seen.outpoint)
        ),
        total=held.total,
        proofs=tuple(proofs),
    )


def _awaited(proof: UnsignedProof, one: SigningProgress) -> str:
    signed = f"{', '.join(one.signed)} signed" if one.signed else "nobody signed"
    more = f" and {len(proof.addresses) - 1} more" if len(proof.addresses) > 1 else ""
    awaited = f"{one.missing} of {', '.join(one.unsigned)} awaited"
    return f"{psbt_name(proof.name)}, {proof.addresses[0]}{more}: {signed}, {awaited}"


def _txid_of(data: bytes) -> str:
    read = read_returned(data)
    return stripped_txid(read if isinstance(read, Transaction) else read.unsigned_transaction())


def _address(vault: Vault, place: Place) -> str:
    return vault.address_at(place.branch, place.index)
