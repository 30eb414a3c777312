"""Record in the journal that a statement of reserves leaves the house, and prepare a proof by payment there."""

from dataclasses import dataclass

from custody.audit.chain_view import coins_of, known_outputs
from custody.audit.fold_reserves import ATTESTED
from custody.audit.reserves.challenge import Challenge
from custody.audit.reserves.payment import PaymentClaim, payment_amount
from custody.audit.reserves.prove import Held
from custody.audit.reserves.statement import Proof, ProofKind
from custody.audit.state import State
from custody.bitcoin.amount import Sats
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput, NotYet
from custody.ports import ChainBackend
from custody.vault.vault import Vault
from custody.workflow.issue_address import issue_address
from custody.workflow.office import Desk
from custody.workflow.prove_reserves import Attested

_FEE_ROOM = 50_000
"""Satoshis that a coin for the payment should have above its amount, for fee and change."""


@dataclass(frozen=True, slots=True)
class PlannedPayment:
    """The payment that proves the keys, to be drafted, approved, signed and broadcast as any other."""

    address: str
    """Fresh, reserved in the journal for this challenge."""
    amount: Sats
    coin: OutPoint | None
    """One that the vault held at the challenge's block and could spend now; None where there is none."""
    reason: str


def record_attested(desk: Desk, attested: Attested) -> None:
    """Append that the statement was handed out, unless the journal says so already."""
    statement, challenge = attested.statement, attested.statement.challenge
    if any(one.statement == statement.digest for one in desk.state.attested):
        return
    disclosed = "addresses" if statement.descriptor is None else "descriptor"
    desk.record(
        [
            (
                ATTESTED,
                {
                    "statement": statement.digest,
                    "challenge": challenge.digest,
                    "network": str(challenge.network),
                    "holder": challenge.holder,
                    "purpose": challenge.purpose,
                    "height": challenge.height,
                    "block_hash": challenge.block_hash,
                    "total_sats": statement.total,
                    "kinds": [*sorted({str(proof.kind) for proof in statement.proofs})],
                    "disclosed": disclosed,
                    "signers": [*attested.signers],
                },
            )
        ]
    )


def plan_payment(desk: Desk, challenge: Challenge, held: Held) -> PlannedPayment:
    """Return what to pay for the challenge; the address is reserved once, and given again for the same challenge.

    Raises:
        PolicyDenied, NotYet: as handing out an address. CheckFailed: RESERVE_EMPTY.
    """
    if not held.coins:
        raise CheckFailed(
            Code.RESERVE_EMPTY,
            f"the vault held no coin at block {challenge.height}",
            advice="Check the vault, and ask the auditor for a block at which it held some.",
        )
    label = f"reserve proof {challenge.digest[:16]}"
    issued = next((one.address for one in desk.state.issued if one.label == label), None)
    address = issued or issue_address(desk, label=label).address
    amount = payment_amount(challenge)
    return PlannedPayment(address, amount, _coin(desk.state, desk.vault, held, amount), label)


def payment_proof(
    vault: Vault, state: State, challenge: Challenge, held: Held, txid: str, backend: ChainBackend
) -> Proof:
    """Return the proof that names a mined payment of the journal.

    Raises:
        NotYet: TRANSACTION_UNKNOWN, it is in no block that the journal saw. InvalidInput: it pays no such amount to
            the vault, or spends nothing that the vault held at the block.
    """
    seen = state.transactions.get(txid)
    if seen is None or seen.height is None or seen.block_hash is None:
        raise NotYet(
            Code.TRANSACTION_UNKNOWN,
            f"payment `{txid}` is in no block that the journal knows",
            advice="Wait for its block, run `custody coins sync`, then repeat the command.",
        )
    transaction = backend.transaction(txid, seen.block_hash)
    spent = {one.outpoint for one in transaction.inputs}
    places = tuple(dict.fromkeys(coin.place for coin in held.coins if coin.seen.outpoint in spent))
    address = _paid_address(vault, state, challenge, transaction)
    if address is None or not places:
        raise InvalidInput(
            Code.RESERVE_PROOF_INVALID,
            f"transaction `{txid}` does not pay {payment_amount(challenge)} sat to the vault out of a coin that it "
            f"held at block {challenge.height}",
            advice="Draft the payment that `audit reserves prove --route payment` prints.",
        )
    claim = PaymentClaim(txid, seen.height, seen.block_hash, address)
    spenders = tuple(vault.address_at(place.branch, place.index) for place in places)
    return Proof(ProofKind.PAYMENT, spenders, claim.to_text())


def _coin(state: State, vault: Vault, held: Held, amount: Sats) -> OutPoint | None:
    """Return the smallest coin that was held at the block, can be spent now and leaves room for the fee."""
    tip = 0 if state.tip is None else state.tip.height
    then = {coin.seen.outpoint for coin in held.coins}
    fitting = [
        coin
        for coin in coins_of(state, vault)
        if coin.outpoint in then and not coin.hold_reasons(tip) and coin.value >= amount + _FEE_ROOM
    ]
    return min(fitting, key=lambda coin: (coin.value, coin.outpoint)).outpoint if fitting else None


def _paid_address(vault: Vault, state: State, challenge: Challenge, transaction: Transaction) -> str | None:
    outputs = known_outputs(state)
    for vout, output in enumerate(transaction.outputs):
        own = outputs.get(OutPoint(transaction.txid, vout))
        if own is not None and output.value == payment_amount(challenge):
            return vault.address_at(own.branch, own.index)
    return None
