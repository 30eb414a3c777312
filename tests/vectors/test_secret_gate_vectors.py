"""The secret gate against everything published: each private key in the vectors refused, nothing public refused."""

import re
from collections.abc import Iterator

import pytest

from custody.documents.secret_gate import SecretKind, find_secret
from support.vectors import load_vectors

_EXTENDED = re.compile(r"[xtyzuvYZUV]prv[1-9A-HJ-NP-Za-km-z]{90,}")


def strings(value: object) -> Iterator[str]:
    """Yield every text in a JSON value."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def test_refuses_every_wif_key_that_core_accepts() -> None:
    vectors = [(text, facts["isPrivkey"]) for text, _, facts in load_vectors("core_key_io_valid.json")["vectors"]]
    assert sum(is_private for _, is_private in vectors) == 16
    for text, is_private in vectors:
        assert (find_secret(text) is SecretKind.WIF_KEY) == is_private, text


@pytest.mark.parametrize(
    "name",
    ["bip32", "bip380_descriptor_checksum_and_keys", "bip381_390_descriptors", "core_descriptor_tests",
     "descriptor_checksums", "electrum_multisig_wallets", "bip49_84_86_addresses", "sparrow_exports", "bip174"],
)  # fmt: skip
def test_refuses_every_extended_private_key(name: str) -> None:
    holding = [text for text in strings(load_vectors(f"{name}.json")) if _EXTENDED.search(text)]
    assert holding
    assert not [text for text in holding if find_secret(text) is None]


def test_refuses_private_descriptors_and_passes_their_public_forms() -> None:
    vectors = load_vectors("core_descriptor_tests.json")["valid"]
    private = [vector["private"] for vector in vectors if vector.get("private") != vector.get("public")]
    assert private
    assert not [text for text in private if find_secret(text) is None]
    assert not [
        vector["public"] for vector in vectors if "prv" not in vector["public"] and find_secret(vector["public"])
    ]


def test_refuses_every_electrum_seed() -> None:
    wallets = [wallet["json"] for wallet in load_vectors("electrum_multisig_wallets.json")["wallets"]]
    seeds = [wallet["seed"] for wallet in wallets if isinstance(wallet.get("seed"), str)]
    seeds += [keystore["seed"] for wallet in wallets for keystore in wallet.values()
              if isinstance(keystore, dict) and isinstance(keystore.get("seed"), str)]  # fmt: skip
    assert len(seeds) >= 7
    assert not [seed for seed in seeds if find_secret(seed) is None]


def test_refuses_the_mnemonics_of_bip_49_84_and_86() -> None:
    phrases = [text for text in strings(load_vectors("bip49_84_86_addresses.json")) if text.count("abandon") > 5]
    assert len(phrases) == 3
    assert {find_secret(phrase) for phrase in phrases} == {SecretKind.MNEMONIC}


@pytest.mark.parametrize(
    "name",
    ["bip67", "bip173_350_segwit_addresses", "bip327_musig2", "bip328_musig_xpub", "bip329_labels", "bip340_schnorr",
     "bip341_wallet", "bip370_psbtv2", "bip371_taproot_psbt", "bip373_musig2_psbt", "bip388_wallet_policies",
     "caravan_wallet_exports", "coldcard_multisig_exports", "core_base58", "core_descriptor_multipath_musig",
     "core_miniscript_tests", "core_rpc_bip67", "miniscript_corpora", "sparrow_bsms", "bbqr", "bcur_multipart"],
)  # fmt: skip
def test_lets_public_vectors_through(name: str) -> None:
    assert not [text for text in strings(load_vectors(f"{name}.json")) if find_secret(text) is not None]


def test_lets_every_valid_psbt_of_core_through() -> None:
    assert not [text for text in strings(load_vectors("core_rpc_psbt.json")["valid"]) if find_secret(text) is not None]
