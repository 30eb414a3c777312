"""Wallet formats: what goes out comes back, and each oddity has its own refusal."""

import json
from dataclasses import replace

import pytest

from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CustodyError, InvalidInput, Severity, UsageError
from custody.vault.formats import core_descriptors, vault_file
from custody.vault.formats.detect import VaultFormat, detect_format
from custody.vault.formats.registry import WRITERS, ImportTerms, read_vault, write_vault
from custody.vault.importing import import_vault
from custody.vault.vault import Vault
from support.vaults import make_vault

TERMS = ImportTerms("reserve", Network.REGTEST)


def _core(vault: Vault) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = json.loads(core_descriptors.write(vault))
    return entries


def _read_core(document: object) -> Vault:
    return read_vault(json.dumps(document).encode(), TERMS)[0]


def _refusal(document: object, terms: ImportTerms = TERMS) -> Code:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(CustodyError) as refused:
        read_vault(data, terms)
    assert refused.value.exit_code == 6
    return refused.value.code


@pytest.mark.parametrize("kind", list(WRITERS))
@pytest.mark.parametrize("network", list(Network))
def test_every_format_comes_back(kind: VaultFormat, network: Network) -> None:
    vault = make_vault(3, 5, network=network)
    data = write_vault(vault, kind).encode()
    assert detect_format(data) is kind
    returned = import_vault(data, ImportTerms("reserve", network)).vault
    assert (returned.vault_id, returned.first_address) == (vault.vault_id, vault.first_address)
    assert (returned == vault) is (kind is VaultFormat.VAULT)


SAYS_BRANCHES = (VaultFormat.VAULT, VaultFormat.DESCRIPTOR, VaultFormat.CORE)


def _receive_only() -> Vault:
    full = make_vault()
    return replace(full, descriptor=replace(full.descriptor, branches=(0,)), receive_only=True)


@pytest.mark.parametrize("kind", sorted(set(WRITERS) - set(SAYS_BRANCHES)))
def test_a_receive_only_vault_is_not_written_where_both_branches_are_meant(kind: VaultFormat) -> None:
    with pytest.raises(InvalidInput) as refused:
        write_vault(_receive_only(), kind)
    assert refused.value.code is Code.RECEIVE_ONLY_VAULT


@pytest.mark.parametrize("kind", SAYS_BRANCHES)
def test_a_receive_only_vault_comes_back_from_formats_that_say_branches(kind: VaultFormat) -> None:
    vault = _receive_only()
    data = write_vault(vault, kind).encode()
    assert _refusal(data) is Code.CHANGE_BRANCH_MISSING
    returned, _remarks = read_vault(data, replace(TERMS, receive_only=True))
    assert returned.vault_id == vault.vault_id


def test_receive_only_for_a_vault_with_change_is_refused() -> None:
    for kind in WRITERS:
        data = write_vault(make_vault(), kind).encode()
        assert _refusal(data, replace(TERMS, receive_only=True)) is Code.IMPORT_INCONSISTENT


def test_the_vault_file_is_the_same_text_every_time_and_reads_as_json_too() -> None:
    vault = make_vault()
    assert vault_file.write(vault) == vault_file.write(vault_file.parse(vault_file.write(vault).encode()))
    as_json = json.dumps(vault.to_document()).encode()
    assert detect_format(as_json) is VaultFormat.VAULT
    assert vault_file.parse(as_json) == vault


def test_a_vault_file_of_another_network_than_stated_is_refused() -> None:
    data = vault_file.write(make_vault()).encode()
    assert _refusal(data, ImportTerms(None, Network.SIGNET)) is Code.NETWORK_MISMATCH
    kept, _remarks = read_vault(data, ImportTerms(None, None))
    renamed, _remarks = read_vault(data, ImportTerms("other", Network.REGTEST, birth_height=9))
    assert (kept.name, renamed.name, renamed.birth_height) == ("reserve", "other", 9)


def test_foreign_formats_need_name_and_network() -> None:
    data = write_vault(make_vault(), VaultFormat.DESCRIPTOR).encode()
    for terms in (ImportTerms(None, Network.REGTEST), ImportTerms("reserve", None)):
        with pytest.raises(UsageError) as refused:
            read_vault(data, terms)
        assert refused.value.exit_code == 2


def test_foreign_formats_number_their_cosigners_in_order() -> None:
    vault = make_vault()
    returned, _remarks = read_vault(write_vault(vault, VaultFormat.DESCRIPTOR).encode(), TERMS)
    assert [item.name for item in returned.cosigners] == ["cosigner-1", "cosigner-2", "cosigner-3"]
    assert [item.key for item in returned.cosigners] == [item.key for item in vault.cosigners]


@pytest.mark.parametrize("text", ["", "\n", "wsh(", "wsh(x)#aaaaaaaa\n" * 3, "wsh(é)#12345678"])
def test_text_that_is_no_descriptor_is_refused(text: str) -> None:
    with pytest.raises(CustodyError) as refused:
        read_vault(text.encode(), TERMS)
    assert refused.value.exit_code == 6


def test_line_ends_and_blank_lines_around_a_descriptor_do_not_matter() -> None:
    vault = make_vault()
    data = f"\n  {vault.descriptor_text}  \r\n\r\n".encode()
    assert read_vault(data, TERMS)[0].vault_id == vault.vault_id


def test_core_export_is_what_importdescriptors_takes() -> None:
    receive, change = _core(make_vault())
    assert (receive["internal"], change["internal"]) == (False, True)
    assert receive["timestamp"] == change["timestamp"] == 0
    assert "/0/*" in str(receive["desc"])
    assert "/1/*" in str(change["desc"])
    assert all(entry["active"] is True and entry["range"] == [0, 999] for entry in (receive, change))


def test_listdescriptors_with_its_other_fields_reads_in_any_order() -> None:
    vault = make_vault()
    extra = {"next": 0, "next_index": 0, "timestamp": 1_700_000_000}
    listed = [{**entry, **extra} for entry in _core(vault)]
    for order in (listed, listed[::-1]):
        assert _read_core({"wallet_name": "watch", "descriptors": order}).vault_id == vault.vault_id
    assert _read_core([*listed, *listed]).vault_id == vault.vault_id


def test_core_entries_without_flags_pair_by_branch_and_one_multipath_stands_alone() -> None:
    vault = make_vault()
    bare = [{"desc": entry["desc"]} for entry in _core(vault)]
    assert _read_core(bare[::-1]).vault_id == vault.vault_id
    assert _read_core([{"desc": vault.descriptor_text, "timestamp": "now"}]).vault_id == vault.vault_id


def test_core_flags_that_contradict_the_branch_are_refused() -> None:
    receive, change = _core(make_vault())
    swapped = [{**receive, "internal": True}, {**change, "internal": False}]
    assert _refusal(swapped) is Code.CHAINS_SWAPPED
    assert _refusal([receive, {**change, "internal": False}]) is Code.IMPORT_INCONSISTENT
    assert _refusal([receive, {"desc": change["desc"]}]) is Code.IMPORT_INCONSISTENT
    assert _refusal([{**receive, "internal": True}]) is Code.IMPORT_INCONSISTENT
    assert _refusal([{"desc": make_vault().descriptor_text, "internal": True}]) is Code.IMPORT_INCONSISTENT
    assert _refusal([receive]) is Code.CHANGE_BRANCH_MISSING


def test_core_lists_of_more_than_one_vault_are_refused() -> None:
    one, other = _core(make_vault()), _core(make_vault(seed=2))
    assert _refusal([*one, *other]) is Code.IMPORT_INCONSISTENT
    assert _refusal([one[0], other[1]]) is Code.VAULT_MISMATCH


def test_core_descriptors_of_other_kinds_are_passed_over_with_a_note() -> None:
    vault = make_vault()
    text = vault.descriptor_text.partition("#")[0].replace("sortedmulti", "multi")
    from custody.bitcoin.descriptor import add_checksum

    other = {"desc": add_checksum(text)}
    read, remarks = read_vault(json.dumps([*_core(vault), other]).encode(), TERMS)
    assert read.vault_id == vault.vault_id
    assert [(item.code, item.severity) for item in remarks] == [(Code.DESCRIPTOR_UNSUPPORTED, Severity.NOTE)]
    assert _refusal([other]) is Code.DESCRIPTOR_UNSUPPORTED


@pytest.mark.parametrize(
    "document", [[], {}, {"descriptors": []}, [1], [{}], [{"desc": 5}], {"descriptors": "x"}, b"[", b'[{"desc":1.5}]']
)
def test_json_that_is_no_list_of_descriptors_is_refused(document: object) -> None:
    assert _refusal(document) is Code.MALFORMED_DOCUMENT


def test_internal_must_be_a_boolean() -> None:
    receive, change = _core(make_vault())
    assert _refusal([receive, {**change, "internal": "true"}]) is Code.MALFORMED_DOCUMENT
