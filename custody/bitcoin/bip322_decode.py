"""The text of a BIP 322 signature, read strictly: its form, the transaction `to_sign`, what it says of coins.

Everything read here is a claim of whoever made the text. A text without a prefix is read as the simple form, as
the BIP lets a verifier do.
Source: BIP 322, Types of Signatures and Verification Process (basic validation).
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace

from custody.bitcoin.bip322_model import MessageForm, Ruling
from custody.bitcoin.bip322_transactions import KNOWN_VERSIONS, PROOF_OUTPUT, to_sign, to_spend
from custody.bitcoin.psbt import Psbt, PsbtInput
from custody.bitcoin.psbt_reader import MAX_BYTES
from custody.bitcoin.psbt_roles import extract
from custody.bitcoin.script import witness_program
from custody.bitcoin.transaction import ByteReader, OutPoint, Transaction, TxOutput, read_witness
from custody.codes import Code
from custody.errors import CustodyError

MAX_TEXT = 4 * MAX_BYTES // 3 + 8
"""Characters of a signature: a PSBT of the largest size in base64, with its prefix."""

MAX_WEIGHT = 4_000_000
"""Of a block, and so of four times a transaction without its witness (consensus)."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the text of a signature says."""

    form: MessageForm
    transaction: Transaction
    """`to_sign`, signed."""
    claimed: Mapping[OutPoint, TxOutput]
    """What a proof of funds says that its coins are."""


def split_form(signature: str) -> tuple[MessageForm, bytes] | Ruling:
    """Return form and decoded bytes; a text without a prefix has the simple form."""
    if len(signature) > MAX_TEXT:
        return Ruling.invalid("the signature is too long")
    form = next((one for one in MessageForm if signature.startswith(one.value)), None)
    text = signature if form is None else signature.removeprefix(form.value)
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return Ruling.invalid("the signature is not base64 after its prefix")
    if not raw or base64.b64encode(raw).decode("ascii") != text:
        return Ruling.invalid("the signature is empty, or not the base64 text that its bytes give")
    return form or MessageForm.SIMPLE, raw


def decode(message: bytes, script_pubkey: bytes, signature: str) -> Decoded | Ruling:
    """Return what `signature` says, its fields as the BIP demands them for `message` and the claimed script."""
    split = split_form(signature)
    if isinstance(split, Ruling):
        return split
    form, raw = split
    try:
        if form is MessageForm.SIMPLE:
            decoded = _simple(message, script_pubkey, raw)
        elif form is MessageForm.FULL:
            decoded = Decoded(form, Transaction.parse(raw), {})
        else:
            decoded = _funds(message, script_pubkey, Psbt.parse(raw))
    except CustodyError as error:
        if error.code is Code.UNSUPPORTED_PSBT_FIELD:
            return Ruling.inconclusive(f"the PSBT holds what is not read here: {error}")
        return Ruling.invalid(f"the signature can't be read as form `{form}`: {error}")
    if isinstance(decoded, Ruling):
        return decoded
    return _outline_problem(message, script_pubkey, decoded) or decoded


def simple_witness(raw: bytes) -> tuple[bytes, ...]:
    """Read the witness stack that is a simple signature.

    Raises:
        InvalidInput: MALFORMED_TRANSACTION.
    """
    reader = ByteReader(raw, Code.MALFORMED_TRANSACTION)
    items = read_witness(reader)
    reader.require_end()
    return items


def _simple(message: bytes, script_pubkey: bytes, raw: bytes) -> Decoded | Ruling:
    if witness_program(script_pubkey) is None:
        if len(raw) == 65:
            return Ruling.inconclusive("signatures in the legacy form are not judged here")
        return Ruling.invalid("the simple form is for native segwit addresses alone")
    bare = to_sign(message, script_pubkey)
    return Decoded(
        MessageForm.SIMPLE, replace(bare, inputs=(replace(bare.inputs[0], witness=simple_witness(raw)),)), {}
    )


def _funds(message: bytes, script_pubkey: bytes, psbt: Psbt) -> Decoded | Ruling:
    if psbt.signed_message not in (None, message):
        return Ruling.invalid("the PSBT says that it signs another message")
    if psbt.tx_modifiable:
        return Ruling.invalid("the PSBT still allows changes to the transaction")
    if not psbt.inputs or not all(one.is_final for one in psbt.inputs):
        return Ruling.invalid("the PSBT is not finalized")
    claimed: dict[OutPoint, TxOutput] = {}
    previous: dict[str, Transaction] = {}
    for number, one in enumerate(psbt.inputs):
        spent = _claimed_output(one, previous)
        if spent is None:
            return Ruling.invalid(f"input {number} does not say rightly what it spends")
        claimed[one.outpoint] = spent
    if claimed[psbt.inputs[0].outpoint] != to_spend(message, script_pubkey).outputs[0]:
        return Ruling.invalid("the first input is said to spend another output than the message's")
    return Decoded(MessageForm.FUNDS, extract(psbt), claimed)


def _claimed_output(psbt_input: PsbtInput, previous: dict[str, Transaction]) -> TxOutput | None:
    """Return the output that the input claims to spend, from its utxo fields or an earlier input's full transaction."""
    full, outpoint = psbt_input.non_witness_utxo, psbt_input.outpoint
    if full is not None:
        if full.txid != outpoint.txid:
            return None
        previous.setdefault(full.txid, full)
    source = previous.get(outpoint.txid)
    if source is None:
        return psbt_input.witness_utxo if psbt_input.final_script_witness else None
    if outpoint.vout >= len(source.outputs) or psbt_input.witness_utxo not in (None, source.outputs[outpoint.vout]):
        return None
    return source.outputs[outpoint.vout]


def _outline_problem(message: bytes, script_pubkey: bytes, decoded: Decoded) -> Ruling | None:
    """Return what is wrong with the fields of `to_sign`, None where nothing is."""
    transaction = decoded.transaction
    outpoints = [one.outpoint for one in transaction.inputs]
    if outpoints[:1] != [OutPoint(to_spend(message, script_pubkey).txid, 0)]:
        return Ruling.invalid("invalid signature: it commits to another message or another address")
    if transaction.outputs != (PROOF_OUTPUT,):
        return Ruling.invalid("the transaction has other outputs than the one empty OP_RETURN")
    if decoded.form is not MessageForm.FUNDS and len(outpoints) > 1:
        return Ruling.invalid("further inputs stand in a proof of funds alone")
    if len(set(outpoints)) != len(outpoints) or any(one.txid == "00" * 32 for one in outpoints):
        return Ruling.invalid("the transaction names a coin twice, or none at all")
    if 4 * len(transaction.serialize_without_witness()) > MAX_WEIGHT:
        return Ruling.invalid("the transaction is larger than any block may be")
    if transaction.version not in KNOWN_VERSIONS:
        return Ruling.inconclusive(f"transaction version {transaction.version} is reserved for upgrades")
    return None
