"""Random vaults from a seeded generator: public keys only, made by drawing points, so that no private key exists."""

import random

from custody.bitcoin.curve import is_valid_public_key
from custody.bitcoin.descriptor import Branch, Descriptor, ScriptType
from custody.bitcoin.keys import HARDENED, ExtendedKey, KeyExpression, KeyOrigin
from custody.bitcoin.network import Network

BOTH_BRANCHES = (int(Branch.RECEIVE), int(Branch.CHANGE))


def random_public_key(rng: random.Random) -> bytes:
    """Draw x coordinates until one lies on the curve: two tries on average."""
    while True:
        key = bytes([rng.choice((2, 3))]) + rng.randbytes(32)
        if is_valid_public_key(key):
            return key


def random_key_expression(rng: random.Random, network: Network, script_type: ScriptType) -> KeyExpression:
    """Return a cosigner's key at its BIP 48 path."""
    script_step = 2 if script_type is ScriptType.WSH_SORTEDMULTI else 1
    path = tuple(HARDENED + step for step in (48, network.coin_type, rng.randrange(4), script_step))
    fingerprint = rng.randbytes(3) + bytes([rng.randrange(1, 256)])
    key = ExtendedKey(len(path), rng.randbytes(4), path[-1], rng.randbytes(32), random_public_key(rng))
    return KeyExpression(KeyOrigin(fingerprint, path), key)


def random_descriptor(
    rng: random.Random,
    network: Network,
    *,
    script_type: ScriptType | None = None,
    threshold: int | None = None,
    key_count: int | None = None,
) -> Descriptor:
    """Return a vault's descriptor, from 2-of-3 to 7-of-15 unless told otherwise."""
    kind = script_type or rng.choice(tuple(ScriptType))
    n = key_count or rng.randint(max(3, threshold or 0), 15)
    m = threshold or rng.randint(2, min(7, n))
    return Descriptor(kind, m, tuple(random_key_expression(rng, network, kind) for _ in range(n)), BOTH_BRANCHES)
