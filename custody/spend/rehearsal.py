"""The rehearsal: a transaction that a device signs like any other and that can never spend anything.

It spends two outputs of a previous transaction that pays the vault's own scripts and that no block
can hold: beside another input it spends the null outpoint, which consensus allows to a coinbase
alone ("bad-txns-prevout-null"). To spend its outputs somebody would have to find another
transaction with the same txid, a collision of SHA-256. The first input of that previous
transaction commits to the vault, and its output number is the number of the rehearsal. So the
whole PSBT follows from vault and number, and whoever has the vault file can build it again and
compare; what differs in one byte is no rehearsal.

The outputs go back to the vault's own addresses. Amounts are made up.
Source: the impossible previous transaction is an idea of BIP 127 and BIP 322, here by a rule of
consensus instead of a hash alone.
"""

from dataclasses import dataclass, replace

from custody.bitcoin.amount import Sats
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.hashing import sha256
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.codes import Code
from custody.errors import Finding, InvalidInput
from custody.spend.psbt_builder import fill_input, fill_output, global_xpubs
from custody.spend.review_findings import TX, at_input, note, refuse
from custody.spend.review_model import Place, Purpose
from custody.vault.vault import Vault

NULL_OUTPOINT = OutPoint("00" * 32, 0xFFFFFFFF)
"""What the one input of a coinbase names, and nothing else in a block can."""
MAX_NUMBER = 0x7FFFFFFF

_TAG = b"custody-rehearsal/1"
_VERSION = 2
_SIGNAL_RBF = 0xFFFFFFFD
_SPENT = ((Place(Branch.RECEIVE, 0), Sats(500_000)), (Place(Branch.CHANGE, 0), Sats(500_000)))
"""Two inputs of two scripts, whose keys stand in different orders: what some devices stumble over."""
_PAID = ((Place(Branch.RECEIVE, 1), Sats(600_000)), (Place(Branch.CHANGE, 1), Sats(398_000)))
"""One output without labels, which a device shows as a payment, and one that it should know as change."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Rehearsal `number` of a vault, unsigned."""

    number: int
    psbt: Psbt
    """Version 0, complete for every device."""

    @classmethod
    def of(cls, vault: Vault, number: int) -> "Rehearsal":
        """Build the rehearsal anew from the vault alone.

        Raises:
            InvalidInput: RECEIVE_ONLY_VAULT, INDEX_OUT_OF_RANGE.
        """
        if vault.receive_only:
            raise InvalidInput(
                Code.RECEIVE_ONLY_VAULT,
                "a vault without a change branch spends nothing, so there is nothing to rehearse",
                advice="Import the vault with both branches.",
            )
        if not 1 <= number <= MAX_NUMBER:
            raise InvalidInput(
                Code.INDEX_OUT_OF_RANGE, f"there is no rehearsal {number}", advice="Rehearsals are counted from 1."
            )
        funding = _funding(vault, number)
        unsigned = _unsigned(vault, funding)
        bare = Psbt.create(unsigned)
        spent = [vault.deriver.at(place.branch, place.index) for place, _ in _SPENT]
        inputs = tuple(fill_input(one, vault, script, funding) for one, script in zip(bare.inputs, spent, strict=True))
        paid, change = bare.outputs
        place = _PAID[1][0]
        outputs = (paid, fill_output(change, vault, vault.deriver.at(place.branch, place.index)))
        return cls(number, replace(bare, inputs=inputs, outputs=outputs, global_xpubs=global_xpubs(vault)))

    @property
    def unsigned_txid(self) -> str:
        """As displayed."""
        return self.psbt.unsigned_txid


def is_impossible(transaction: Transaction) -> bool:
    """Whether no block can hold the transaction: it spends the null outpoint and is no coinbase.

    Source: Bitcoin Core, CheckTransaction: a transaction with one input and a null outpoint is a coinbase,
    with more than one input a null outpoint is `bad-txns-prevout-null`.
    """
    return len(transaction.inputs) > 1 and any(one.outpoint == NULL_OUTPOINT for one in transaction.inputs)


def judge_purpose(psbt: Psbt, vault: Vault) -> tuple[Purpose, tuple[Finding, ...]]:
    """Say whether the PSBT is a rehearsal of this vault, to the byte; what only looks like one is refused."""
    unreal = [place for place, one in enumerate(psbt.inputs) if _is_unreal(one.non_witness_utxo, one.outpoint)]
    if not unreal:
        return Purpose.PAYMENT, ()
    number = rehearsal_number(psbt, vault)
    if number is not None:
        message = f"rehearsal {number} of this vault: its coins can't exist, so its signatures spend nothing"
        return Purpose.REHEARSAL, (note(Code.REHEARSAL, TX, message, "Sign it to prove a device; it is never sent."),)
    return Purpose.PAYMENT, tuple(
        refuse(
            Code.REHEARSAL_ALTERED,
            at_input(place),
            "the coin comes from a transaction that no block can hold, and this is no rehearsal of this vault",
        )
        for place in unreal
    )


def rehearsal_number(psbt: Psbt, vault: Vault) -> int | None:
    """Return the number of the rehearsal whose unsigned transaction this is, None where it is none of this vault."""
    if vault.receive_only or not psbt.inputs:
        return None
    previous = psbt.inputs[0].non_witness_utxo
    if previous is None or not previous.inputs:
        return None
    number = previous.inputs[0].outpoint.vout
    if not 1 <= number <= MAX_NUMBER:
        return None
    wanted = _unsigned(vault, _funding(vault, number))
    same = psbt.unsigned_transaction().serialize_without_witness() == wanted.serialize_without_witness()
    return number if same else None


def _is_unreal(previous: Transaction | None, outpoint: OutPoint) -> bool:
    return previous is not None and previous.txid == outpoint.txid and is_impossible(previous)


def _funding(vault: Vault, number: int) -> Transaction:
    """Return the previous transaction that can't be: it commits to the vault and spends the null outpoint."""
    commitment = sha256(sha256(_TAG) * 2 + bytes.fromhex(vault.vault_id)).hex()
    inputs = (TxInput(OutPoint(commitment, number)), TxInput(NULL_OUTPOINT))
    return Transaction(_VERSION, inputs, _outputs(vault, _SPENT), 0)


def _unsigned(vault: Vault, funding: Transaction) -> Transaction:
    spent = tuple(TxInput(OutPoint(funding.txid, vout), sequence=_SIGNAL_RBF) for vout in range(len(_SPENT)))
    return Transaction(_VERSION, spent, _outputs(vault, _PAID), 0)


def _outputs(vault: Vault, places: tuple[tuple[Place, Sats], ...]) -> tuple[TxOutput, ...]:
    return tuple(TxOutput(value, vault.deriver.at(place.branch, place.index).script_pubkey) for place, value in places)
