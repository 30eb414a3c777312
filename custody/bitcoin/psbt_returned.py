"""What a signer gave back, in any of the forms that devices and wallets write.

Source: BIP 174 (file extensions and encodings).
"""

import binascii

from custody.bitcoin.psbt import Psbt, psbt_from_text_or_bytes
from custody.bitcoin.psbt_fields import MAGIC
from custody.bitcoin.transaction import Transaction

_BASE64_MAGIC = b"cHNidP"
_WHITE_SPACE = b" \t\r\n"


def read_returned(data: bytes) -> Psbt | Transaction:
    """Read what a signer gave back: a PSBT in binary, base64 or hex, or a raw transaction in binary or hex.

    Text may be broken into lines.

    Raises:
        InvalidInput: MALFORMED_PSBT, MALFORMED_TRANSACTION, and all that a PSBT is refused for.
    """
    if data.startswith(MAGIC):
        return Psbt.parse(data)
    text = data.translate(None, _WHITE_SPACE)
    if text.startswith(_BASE64_MAGIC):
        return psbt_from_text_or_bytes(text)
    try:
        raw = binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        raw = data
    return Psbt.parse(raw) if raw.startswith(MAGIC) else Transaction.parse(raw)
