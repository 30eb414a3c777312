"""Attacks A78 (checksum as identity), A86 (a key in two vaults), A99 and A122 (published keys)."""

import hashlib

import pytest

from custody.bitcoin.keys import KeyExpression, KeyOrigin
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CustodyError, Severity
from custody.vault.checks import inspect_reuse, inspect_vault, require_sound
from custody.vault.compare import compare_vaults
from custody.vault.known_test_keys import KNOWN_TEST_KEYS
from support.vaults import expression, make_keys, make_vault, vault_of
from support.vectors import load_vectors


def test_a78_the_checksum_is_not_compared() -> None:
    vault, other = make_vault(), make_vault(seed=2)
    reordered = vault_of(tuple(item.key for item in vault.cosigners)[::-1])
    assert reordered.descriptor_text[-8:] != vault.descriptor_text[-8:]
    assert reordered.vault_id == vault.vault_id
    assert len(vault.vault_id) == 64
    assert vault.vault_id != other.vault_id
    # Compared is what the scripts follow from; the checksum is in none of it.
    assert not any(vault.descriptor_text[-8:] in finding.message for finding in compare_vaults(vault, other))


def test_a86_a_key_in_two_vaults_warns_and_names_both() -> None:
    shared, *rest = make_keys(6)
    old = vault_of((shared, rest[0]), name="old")
    new = vault_of((rest[1], shared, rest[2]), name="new")
    findings = inspect_reuse(new, [old])
    assert [(item.code, item.severity, item.where) for item in findings] == [
        (Code.KEY_REUSED_IN_WALLET, Severity.WARN, "cosigner:bo")
    ]
    assert "`old`" in findings[0].message
    assert findings[0] in compare_vaults(new, old)


def test_a86_the_same_vault_is_no_reuse() -> None:
    vault = make_vault()
    assert inspect_reuse(vault, [vault, make_vault(seed=2)]) == ()


def test_a122_a_published_key_is_refused_on_main_under_any_origin() -> None:
    published = load_vectors("bip32.json")["valid"][0]["chains"][0]["xpub"]
    keys = make_keys(3, network=Network.MAIN)
    parsed = KeyExpression.parse(f"[3442193e]{published}", Network.MAIN).key
    disguised = expression(b"\x0a\x0b\x0c\x0d", keys[2].origin.path, parsed)
    vault = vault_of((*keys[:2], disguised), network=Network.MAIN)
    with pytest.raises(CustodyError) as refused:
        require_sound(vault)
    assert (refused.value.code, refused.value.exit_code) == (Code.KNOWN_TEST_KEY, 6)


def test_a122_any_account_of_a_published_seed_is_refused_on_main() -> None:
    keys = make_keys(3, network=Network.MAIN)
    account = KeyExpression(KeyOrigin(bytes.fromhex("73c5da0a"), keys[2].origin.path), keys[2].key)
    codes = {item.code for item in inspect_vault(vault_of((*keys[:2], account), network=Network.MAIN))}
    assert codes == {Code.KNOWN_TEST_KEY}


def test_a122_published_keys_are_welcome_on_test_networks() -> None:
    keys = make_keys(3)
    account = KeyExpression(KeyOrigin(bytes.fromhex("73c5da0a"), keys[2].origin.path), keys[2].key)
    assert inspect_vault(vault_of((*keys[:2], account))) == ()


def test_a99_the_list_holds_the_usual_accounts_of_well_known_mnemonics() -> None:
    from embit import bip32, bip39

    phrases = [
        " ".join(["abandon"] * 11 + ["about"]),
        " ".join(["abandon"] * 23 + ["art"]),
        " ".join(["zoo"] * 11 + ["wrong"]),
        " ".join(["all"] * 12),
        " ".join(["test"] * 11 + ["junk"]),
    ]
    for phrase in phrases:
        root = bip32.HDKey.from_seed(bip39.mnemonic_to_seed(phrase))
        for path in (
            "m",
            "m/44h/0h/0h",
            "m/49h/0h/0h",
            "m/84h/0h/1h",
            "m/86h/0h/0h",
            "m/48h/0h/0h/1h",
            "m/48h/0h/1h/2h",
        ):
            key = root.derive(path).to_public()
            assert _digest(key.key.sec(), key.chain_code) in KNOWN_TEST_KEYS


def test_a122_the_list_holds_every_extended_key_of_the_published_vectors() -> None:
    checked = 0
    for vector in load_vectors("bip32.json")["valid"]:
        for link in vector["chains"]:
            key = _key_of(link["xpub"])
            assert key in KNOWN_TEST_KEYS
            checked += 1
    for policy in load_vectors("bip388_wallet_policies.json")["valid"]:
        for text in policy["keys_info"]:
            if text.rpartition("]")[2].startswith("xpub"):
                assert _key_of(text.rpartition("]")[2]) in KNOWN_TEST_KEYS
                checked += 1
    assert checked > 30


def _key_of(text: str) -> str:
    from custody.bitcoin.keys import ExtendedKey

    key = ExtendedKey.from_base58(text, Network.MAIN)
    return _digest(key.public_key, key.chain_code)


def _digest(public_key: bytes, chain_code: bytes) -> str:
    return hashlib.sha256(public_key + chain_code).hexdigest()[:32]
