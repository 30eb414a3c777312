"""Messages signed in BIP 322's simple form by the key of a pay-to-witness-pubkey-hash script.

Of the BIP's forms this one and the legacy one (`message.py`) can be a single key's; a BSMS key record carries
either. Everything else about the BIP stands in `bip322.py`, which judges here too.
Source: BIP 322, Simple.
"""

from custody.bitcoin.bip322 import MessageForm, verify_message
from custody.bitcoin.bip322_decode import simple_witness, split_form
from custody.bitcoin.bip322_model import Ruling
from custody.bitcoin.hashing import hash160
from custody.errors import InvalidInput


def has_simple_form(signature: str) -> bool:
    """Whether `signature` is a witness of two items in base64, with the BIP's prefix or without."""
    split = split_form(signature)
    if isinstance(split, Ruling) or split[0] is not MessageForm.SIMPLE:
        return False
    try:
        return len(simple_witness(split[1])) == 2
    except InvalidInput:
        return False


def verify_simple(public_key: bytes, message: bytes, signature: str) -> bool:
    """Whether `signature` is the 33-byte key's for `message`, by its pay-to-witness-pubkey-hash script.

    Junk of any kind is False, never an error.
    """
    script = b"\x00\x14" + hash160(public_key)
    return has_simple_form(signature) and verify_message(message, script, signature, outputs={}).is_valid
