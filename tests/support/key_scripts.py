"""A small reader of foreign descriptors, for the vectors whose kinds the toolkit doesn't build.

It derives with the first engine's own pieces (extended keys, multisig, wrapping), so that
published scripts test those pieces even where the descriptor around them is refused.
Public keys and unhardened steps only; anything else raises `NotCovered`.
"""

import re

from custody.bitcoin.curve import is_valid_public_key
from custody.bitcoin.hashing import hash160
from custody.bitcoin.keys import ExtendedKey
from custody.bitcoin.network import Network
from custody.bitcoin.script import MAX_MULTISIG_KEYS, multisig_script, p2sh_script, p2wsh_script
from custody.errors import InvalidInput


class NotCovered(Exception):
    """This reader does not do that kind of descriptor."""


def script_of_foreign(descriptor: str, index: int) -> bytes:
    """Return the output script at `index` of a pkh, wpkh, multi or sortedmulti, wrapped or not."""
    name, inner = _call(descriptor)
    if name == "wsh":
        return p2wsh_script(script_of_foreign(inner, index))
    if name == "sh":
        return p2sh_script(script_of_foreign(inner, index))
    if name in ("multi", "sortedmulti"):
        threshold, *keys = inner.split(",")
        if len(keys) > MAX_MULTISIG_KEYS:
            raise NotCovered("more than 16 keys")
        derived = [_key_at(key, index) for key in keys]
        return multisig_script(int(threshold), sorted(derived) if name == "sortedmulti" else derived)
    if name == "pk":
        return b"\x21" + _key_at(inner, index) + b"\xac"
    if name == "pkh":
        return b"\x76\xa9\x14" + hash160(_key_at(inner, index)) + b"\x88\xac"
    if name == "wpkh":
        return b"\x00\x14" + hash160(_key_at(inner, index))
    raise NotCovered(name)


def _call(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"([a-z_]+)\((.*)\)", text)
    if match is None:
        raise NotCovered("not a call")
    return match[1], match[2]


def _key_at(text: str, index: int) -> bytes:
    word, *steps = re.sub(r"^\[[^\]]*\]", "", text).split("/")
    if re.fullmatch("[0-9a-f]{66}", word) and is_valid_public_key(bytes.fromhex(word)):
        return bytes.fromhex(word)
    try:
        key = ExtendedKey.from_base58(word, Network.MAIN)
    except InvalidInput as cause:
        raise NotCovered("a key of another kind") from cause
    for step in steps:
        if step != "*" and not step.isdigit():
            raise NotCovered("a hardened or multipath step")
        key = key.child(index if step == "*" else int(step))
    return key.public_key
