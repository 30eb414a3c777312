"""What a segwit version 0 signature signs (BIP 143), in linear time over all inputs."""

from custody.bitcoin.transaction import Transaction

SIGHASH_ALL = 0x01


class SegwitV0Hasher:
    """Signature hashes of one transaction; the parts shared by all inputs are hashed once."""

    def __init__(self, transaction: Transaction) -> None:
        raise NotImplementedError

    def digest(self, input_index: int, script_code: bytes, value: int, sighash_type: int) -> bytes:
        """Return the 32-byte digest. `value` is the spent output's, in satoshis."""
        raise NotImplementedError
