"""The vault and its document: every fact that stands twice agrees, nothing unknown is read."""

from dataclasses import replace

import pytest

from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CustodyError, InvalidInput, JsonValue, UpgradeNeeded
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from support.vaults import make_keys, make_vault, vault_of


def _changed(**changes: JsonValue) -> dict[str, JsonValue]:
    return {**make_vault().to_document(), **changes}


def _code(document: JsonValue) -> Code:
    with pytest.raises(CustodyError) as refused:
        Vault.from_document(document)
    assert refused.value.exit_code == 6
    return refused.value.code


def test_document_reads_back_equal() -> None:
    for network in Network:
        vault = make_vault(3, 5, network=network)
        assert Vault.from_document(vault.to_document()) == vault


def test_document_digest_covers_names_and_birth_height_and_vault_id_does_not() -> None:
    vault = make_vault()
    renamed = replace(vault, name="other", birth_height=7)
    assert renamed.vault_id == vault.vault_id
    assert renamed.document_digest != vault.document_digest
    assert replace(vault, birth_height=8).document_digest != replace(vault, birth_height=7).document_digest


def test_first_address_is_receive_index_zero() -> None:
    vault = make_vault()
    assert vault.first_address == vault.address_at(0, 0) == vault.deriver.address_at(0, 0, vault.network)
    assert vault.first_address.startswith("bcrt1q")


def test_unknown_and_missing_keys_are_refused() -> None:
    assert _code(_changed(colour="red")) is Code.UNKNOWN_FIELD
    document = make_vault().to_document()
    for key in document:
        lacking = {name: value for name, value in document.items() if name != key}
        assert _code(lacking) in (Code.MALFORMED_DOCUMENT, Code.UNKNOWN_FORMAT)


def test_another_format_is_refused_and_a_newer_one_asks_for_an_upgrade() -> None:
    assert _code(_changed(format="something/1")) is Code.UNKNOWN_FORMAT
    assert _code([]) is Code.MALFORMED_DOCUMENT
    with pytest.raises(UpgradeNeeded):
        Vault.from_document(_changed(format="custody-vault/2"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", 5),
        ("network", "mainnet"),
        ("network", None),
        ("script", 1),
        ("threshold", "2"),
        ("threshold", True),
        ("birth_height", -1),
        ("birth_height", 500_000_000),
        ("birth_height", False),
        ("receive_only", "no"),
        ("cosigners", {}),
        ("cosigners", ["ann"]),
        ("descriptor", None),
    ],
)
def test_values_of_the_wrong_kind_are_refused(key: str, value: JsonValue) -> None:
    assert _code(_changed(**{key: value})) is Code.MALFORMED_DOCUMENT


def test_statements_that_contradict_the_descriptor_are_refused() -> None:
    vault, other = make_vault(), make_vault(seed=2)
    cosigners = vault.to_document()["cosigners"]
    assert isinstance(cosigners, list)
    for changes in (
        {"threshold": 3},
        {"script": "sh-wsh-sortedmulti"},
        {"receive_only": True},
        {"cosigners": cosigners[:2]},
        {"cosigners": cosigners[::-1]},
        {"cosigners": other.to_document()["cosigners"]},
    ):
        assert _code(_changed(**changes)) is Code.IMPORT_INCONSISTENT


def test_a_descriptor_of_another_vault_in_the_document_is_refused() -> None:
    assert _code(_changed(descriptor=make_vault(seed=2).descriptor_text)) is Code.IMPORT_INCONSISTENT


def test_cosigners_with_unknown_keys_bad_names_or_one_name_twice_are_refused() -> None:
    vault = make_vault()
    document = vault.to_document()["cosigners"]
    assert isinstance(document, list)
    first = document[0]
    assert isinstance(first, dict)
    assert _code(_changed(cosigners=[{**first, "device": "x"}, *document[1:]])) is Code.UNKNOWN_FIELD
    assert _code(_changed(cosigners=[{**first, "name": "Ann"}, *document[1:]])) is Code.NAME_INVALID
    assert _code(_changed(cosigners=[{**first, "name": "bo"}, *document[1:]])) is Code.NAME_INVALID
    with pytest.raises(InvalidInput):
        Cosigner("../x", vault.cosigners[0].key)


def test_a_descriptor_without_change_needs_the_word_receive_only() -> None:
    vault = make_vault()
    receive = replace(vault.descriptor, branches=(0,))
    with pytest.raises(InvalidInput) as refused:
        replace(vault, descriptor=receive)
    assert refused.value.code is Code.CHANGE_BRANCH_MISSING
    accepted = replace(vault, descriptor=receive, receive_only=True)
    assert accepted.first_address == vault.first_address
    assert Vault.from_document(accepted.to_document()) == accepted
    with pytest.raises(InvalidInput):
        replace(vault, descriptor=replace(vault.descriptor, branches=(1,)), receive_only=True)


def test_threshold_and_number_of_keys_are_bounded() -> None:
    for keys, threshold in ((2, 0), (2, 3), (3, -1)):
        with pytest.raises(InvalidInput) as refused:
            vault_of(make_keys(keys), threshold=threshold)
        assert refused.value.code is Code.THRESHOLD_INVALID
    assert vault_of(make_keys(1), threshold=1).threshold == 1
    assert len(vault_of(make_keys(15), threshold=8).cosigners) == 15
