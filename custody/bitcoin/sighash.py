"""What a signature signs: of segwit version 0 in linear time over all inputs, and of what came before it.

Only SIGHASH_ALL is built: every other type leaves something of a payment open, and the
toolkit refuses it before it would ever need its digest.
Source: BIP 143; Bitcoin Core (legacy).
"""

import hashlib

from custody.bitcoin.hashing import sha256d
from custody.bitcoin.transaction import Transaction, TxInput, write_bytes
from custody.codes import Code
from custody.errors import InvalidInput

SIGHASH_ALL = 0x01


class SegwitV0Hasher:
    """Signature hashes of one transaction; the parts that all inputs share are hashed once."""

    __slots__ = ("_inputs", "_prefix", "_suffix")

    def __init__(self, transaction: Transaction) -> None:
        outpoints = [tx_input.outpoint.to_bytes() for tx_input in transaction.inputs]
        sequences = [tx_input.sequence.to_bytes(4, "little") for tx_input in transaction.inputs]
        outputs = b"".join(output.to_bytes() for output in transaction.outputs)
        version = transaction.version.to_bytes(4, "little", signed=True)
        self._inputs = list(zip(outpoints, sequences, strict=True))
        self._prefix = hashlib.sha256(version + sha256d(b"".join(outpoints)) + sha256d(b"".join(sequences)))
        self._suffix = sha256d(outputs) + transaction.locktime.to_bytes(4, "little")

    def digest(self, input_index: int, script_code: bytes, value: int, sighash_type: int = SIGHASH_ALL) -> bytes:
        """Return the 32-byte digest of one input.

        `script_code` is the witness script, `value` the spent output's in satoshis.

        Raises:
            InvalidInput: SIGHASH_NOT_ALL for any other type than SIGHASH_ALL.
        """
        if sighash_type != SIGHASH_ALL:
            raise InvalidInput(
                Code.SIGHASH_NOT_ALL,
                f"signature type 0x{sighash_type:02x} is not SIGHASH_ALL",
                advice="Have the transaction signed with SIGHASH_ALL.",
            )
        outpoint, sequence = self._inputs[input_index]
        digest = self._prefix.copy()
        digest.update(outpoint + write_bytes(script_code) + value.to_bytes(8, "little") + sequence)
        digest.update(self._suffix + sighash_type.to_bytes(4, "little"))
        return hashlib.sha256(digest.digest()).digest()


def legacy_digest(transaction: Transaction, input_index: int, script_code: bytes) -> bytes:
    """Return the 32-byte digest that a SIGHASH_ALL signature of an output before segwit signs.

    `script_code` is the script that is satisfied; it must hold no OP_CODESEPARATOR and no signature.
    Source: Bitcoin Core, `SignatureHash` for `SigVersion::BASE`.
    """
    inputs = tuple(
        TxInput(one.outpoint, script_code if number == input_index else b"", one.sequence)
        for number, one in enumerate(transaction.inputs)
    )
    bare = Transaction(transaction.version, inputs, transaction.outputs, transaction.locktime)
    return sha256d(bare.serialize_without_witness() + SIGHASH_ALL.to_bytes(4, "little"))
