"""Checks of a vault's keys: each fires alone, and a sound vault has nothing to say."""

import time
from dataclasses import replace

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import HARDENED, KeyExpression, KeyOrigin, parse_path
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import InvalidInput, Severity
from custody.vault.checks import inspect_vault, require_sound
from custody.vault.key_relations import Relation, related_keys
from support.vaults import expression, make_keys, make_vault, vault_of


@pytest.mark.parametrize("network", list(Network))
@pytest.mark.parametrize("script_type", list(ScriptType))
def test_a_sound_vault_has_no_findings(network: Network, script_type: ScriptType) -> None:
    vault = make_vault(3, 5, network=network, script_type=script_type)
    assert inspect_vault(vault) == ()
    assert require_sound(vault) == ()


@pytest.mark.parametrize("steps", [(0,), (1000,), (0, 1000), (1, 0), (1000, 1), (537, 0)])
def test_descendants_within_two_steps_are_found(steps: tuple[int, ...]) -> None:
    keys = [key.key for key in make_keys(3)]
    child = keys[0]
    for step in steps:
        child = child.child(step)
    hidden = replace(child, depth=4, child_number=HARDENED + 2, parent_fingerprint=b"\x01\x02\x03\x04")
    assert related_keys([keys[0], keys[1], hidden]) == (Relation(0, 2, steps),)
    assert related_keys([hidden, keys[1], keys[0]]) == (Relation(2, 0, steps),)


def test_a_child_with_an_altered_chain_code_is_found_by_its_public_key() -> None:
    keys = [key.key for key in make_keys(3)]
    altered = replace(keys[0].child(7), chain_code=keys[1].chain_code)
    assert Relation(0, 2, (7,)) in related_keys([keys[0], keys[1], altered])


def test_child_numbers_that_keys_state_themselves_widen_the_search() -> None:
    parent, other = (key.key for key in make_keys(2))
    assert related_keys([parent, other, parent.child(123_456)]) == (Relation(0, 2, (123_456,)),)
    assert related_keys([parent, other, parent.child(900).child(123_456)]) == (Relation(0, 2, (900, 123_456)),)


def test_unrelated_keys_are_not_related() -> None:
    assert related_keys([key.key for key in make_keys(5)]) == ()


def test_fifteen_keys_are_checked_quickly() -> None:
    vault = make_vault(8, 15)
    started = time.process_time()
    assert inspect_vault(vault) == ()
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    "path", ["84h/1h/0h", "45h", "48h/1h/0h/1h", "48h/0h/0h/2h", "48h/1h/0/2h", "48h/1h/0h/2h/0", "49h/1h/0h", "0h"]
)
def test_paths_other_than_bip48_warn(path: str) -> None:
    keys = make_keys(3)
    odd = expression(b"\x0a\x0b\x0c\x0d", parse_path(path), keys[2].key)
    findings = inspect_vault(vault_of((*keys[:2], odd)))
    assert [(finding.code, finding.severity, finding.where) for finding in findings] == [
        (Code.UNUSUAL_PATH, Severity.WARN, "cosigner:cy")
    ]


def test_the_master_key_itself_as_cosigner_warns() -> None:
    keys = make_keys(3)
    master = replace(keys[2].key, depth=0, child_number=0, parent_fingerprint=bytes(4))
    root = KeyExpression(KeyOrigin(master.fingerprint, ()), master)
    assert [finding.code for finding in inspect_vault(vault_of((*keys[:2], root)))] == [Code.UNUSUAL_PATH]


def test_require_sound_lists_every_refusal_and_names_the_first() -> None:
    keys = make_keys(3)
    with pytest.raises(InvalidInput) as refused:
        require_sound(vault_of((keys[0], keys[0], keys[2])))
    assert refused.value.code is Code.DUPLICATE_COSIGNER
    listed = refused.value.details["findings"]
    assert isinstance(listed, list)
    assert [finding["code"] for finding in listed if isinstance(finding, dict)] == [
        "DUPLICATE_COSIGNER",
        "DUPLICATE_FINGERPRINT",
    ]
