"""BIP 32: public derivation and the invalid extended keys."""

from custody.bitcoin.keys import HARDENED, ExtendedKey, parse_path
from custody.bitcoin.network import Network
from support.vector_verdicts_keys import bip32
from support.vectors import load_vectors


def test_every_extended_key_has_the_published_verdict() -> None:
    assert bip32() == {"accepted": 17, "refused_unsupported": 17, "refused_invalid": 16, "wrong": 0}


def test_the_unhardened_children_are_derived_from_their_parents() -> None:
    derived = 0
    for vector in load_vectors("bip32.json")["valid"]:
        for parent, link in zip(vector["chains"], vector["chains"][1:], strict=False):
            step = parse_path(link["path"].removeprefix("m/").replace("H", "h"))[-1]
            if step < HARDENED:
                child = ExtendedKey.from_base58(parent["xpub"], Network.MAIN).child(step)
                assert child.to_base58(Network.MAIN) == link["xpub"]
                derived += 1
    assert derived == 6
