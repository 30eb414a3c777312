"""Derivation by the first engine, and the second engine's own edges."""

import random

import pytest

from custody.bitcoin.derivation import ScriptDeriver, find_script
from custody.bitcoin.descriptor import Branch, Descriptor, ScriptType
from custody.bitcoin.keys import HARDENED, ExtendedKey, KeyExpression, format_path, parse_path
from custody.bitcoin.network import Network
from custody.bitcoin.script import multisig_script, p2sh_script, p2wsh_script
from custody.bitcoin.second_opinion import (
    SecondOpinion,
    address_at,
    require_same_scripts,
    script_pubkey_at,
    witness_script_at,
)
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput
from support.random_vaults import random_descriptor
from support.sample_keys import MAIN_KEYS, vault_text

WRAPPED = "sh(wsh(sortedmulti({})))"


@pytest.mark.parametrize("template", ["wsh(sortedmulti({}))", WRAPPED])
def test_every_script_of_an_address_follows_from_the_cosigners_keys(template: str) -> None:
    descriptor = Descriptor.parse(vault_text(template=template), Network.MAIN)
    derived = ScriptDeriver(descriptor).at(Branch.CHANGE, 7)
    children = tuple(expression.key.child(1).child(7).public_key for expression in descriptor.keys)
    assert derived.key_by_cosigner == children
    assert derived.public_keys == tuple(sorted(children))
    assert derived.witness_script == multisig_script(2, sorted(children))
    program = p2wsh_script(derived.witness_script)
    assert (derived.redeem_script, derived.script_pubkey) == (
        (program, p2sh_script(program)) if template == WRAPPED else (None, program)
    )


@pytest.mark.parametrize(
    ("branch", "index", "code"),
    [
        (0, -1, Code.INDEX_OUT_OF_RANGE),
        (0, HARDENED, Code.HARDENED_PUBLIC_DERIVATION),
        (0, 2 * HARDENED, Code.INDEX_OUT_OF_RANGE),
        (2, 0, Code.INDEX_OUT_OF_RANGE),
        (-1, 0, Code.INDEX_OUT_OF_RANGE),
    ],
)
def test_a19_indexes_outside_the_descriptor(branch: int, index: int, code: Code) -> None:
    with pytest.raises(InvalidInput) as refused:
        ScriptDeriver(Descriptor.parse(vault_text(), Network.MAIN)).at(branch, index)
    assert refused.value.code is code


def test_a_receive_only_descriptor_has_no_change() -> None:
    descriptor = Descriptor.parse(vault_text(step="0"), Network.MAIN)
    both = ScriptDeriver(Descriptor.parse(vault_text(), Network.MAIN))
    assert ScriptDeriver(descriptor).at(0, 3) == both.at(0, 3)
    with pytest.raises(InvalidInput):
        ScriptDeriver(descriptor).at(1, 0)
    with pytest.raises(InvalidInput):
        descriptor.single_branch_text(Branch.CHANGE, Network.MAIN)


def test_the_two_branches_as_texts_of_their_own_mean_the_same_scripts() -> None:
    descriptor = Descriptor.parse(vault_text(), Network.MAIN)
    for branch in Branch:
        single = Descriptor.parse(descriptor.single_branch_text(branch, Network.MAIN), Network.MAIN)
        assert ScriptDeriver(single).at(branch, 5) == ScriptDeriver(descriptor).at(branch, 5)


def test_find_script_names_the_vault_s_own_scripts_and_no_others() -> None:
    deriver = ScriptDeriver(Descriptor.parse(vault_text(), Network.MAIN))
    ours = {deriver.at(0, 4).script_pubkey: (0, 4), deriver.at(1, 9).script_pubkey: (1, 9)}
    beyond, foreign = deriver.at(0, 10).script_pubkey, p2wsh_script(b"")
    assert find_script(deriver, {*ours, beyond, foreign}, counts={0: 10, 1: 10}) == ours
    assert find_script(deriver, set(), counts={0: 10}) == {}
    # What an earlier question derived answers no later one beyond its own counts.
    assert find_script(deriver, set(ours), counts={0: 4, 1: 9}) == {}
    assert find_script(deriver, set(ours), counts={0: 10, 1: 10}) == ours


def test_order_of_cosigners_changes_no_address() -> None:
    one = ScriptDeriver(Descriptor.parse(vault_text(), Network.MAIN))
    other = ScriptDeriver(Descriptor.parse(vault_text(MAIN_KEYS[::-1]), Network.MAIN))
    assert [one.at(0, index).script_pubkey for index in range(5)] == [
        other.at(0, index).script_pubkey for index in range(5)
    ]


def test_paths() -> None:
    path = (HARDENED + 48, HARDENED, 0, 2**31 - 1)
    assert parse_path("48h/0'/0/2147483647") == path
    assert format_path(path) == "48h/0h/0/2147483647"
    assert (parse_path(""), format_path(())) == ((), "")
    for text in ("m/48h", "/48h", "48h/", "48hh", "48 h", "-1", "+1", "0x1", "٣", "1h'", "00"):
        with pytest.raises(InvalidInput):
            parse_path(text)


def test_a_key_without_children() -> None:
    key = KeyExpression.parse(MAIN_KEYS[0], Network.MAIN).key
    deepest = ExtendedKey(255, key.parent_fingerprint, key.child_number, key.chain_code, key.public_key)
    with pytest.raises(InvalidInput):
        deepest.child(0)
    with pytest.raises(InvalidInput) as refused:
        key.child(HARDENED)
    assert refused.value.code is Code.HARDENED_PUBLIC_DERIVATION


def test_extended_keys_have_fields_of_one_size() -> None:
    key = KeyExpression.parse(MAIN_KEYS[0], Network.MAIN).key
    assert len(key.to_bytes78(Network.MAIN)) == 78
    for fields in (
        (256, key.parent_fingerprint, 0, key.chain_code),
        (4, b"", 0, key.chain_code),
        (4, key.parent_fingerprint, -1, key.chain_code),
        (4, key.parent_fingerprint, 0, b""),
    ):
        with pytest.raises(InvalidInput):
            ExtendedKey(*fields, key.public_key)


def test_branch_labels() -> None:
    assert [branch.label for branch in Branch] == ["receive", "change"]
    assert Branch.from_label("change") is Branch.CHANGE
    with pytest.raises(InvalidInput):
        Branch.from_label("CHANGE")


@pytest.mark.parametrize("script_type", tuple(ScriptType))
def test_the_second_engine_answers_every_question_alike(script_type: ScriptType) -> None:
    rng = random.Random(3)  # noqa: S311
    descriptor = random_descriptor(rng, Network.SIGNET, script_type=script_type, threshold=3, key_count=5)
    text, deriver = descriptor.to_text(Network.SIGNET), ScriptDeriver(descriptor)
    derived = deriver.at(1, 12)
    assert script_pubkey_at(text, 1, 12, Network.SIGNET) == derived.script_pubkey
    assert witness_script_at(text, 1, 12, Network.SIGNET) == derived.witness_script
    assert address_at(text, 1, 12, Network.SIGNET) == deriver.address_at(1, 12, Network.SIGNET)
    assert SecondOpinion(text, Network.SIGNET).addresses(1, 10, 3)[2] == deriver.address_at(1, 12, Network.SIGNET)


def test_the_second_engine_refuses_what_it_does_not_read() -> None:
    text = vault_text()
    for wrong, network in (
        (text.partition("#")[0], Network.MAIN),
        (text[:-1] + "!", Network.MAIN),
        (text, Network.REGTEST),
    ):
        with pytest.raises(InvalidInput):
            SecondOpinion(wrong, network)
    opinion = SecondOpinion(text, Network.MAIN)
    assert opinion.addresses(0, 0, 0) == []
    for branch, index in ((2, 0), (-1, 0), (0, -1), (0, 2**31)):
        with pytest.raises(InvalidInput):
            opinion.address_at(branch, index)
        with pytest.raises(InvalidInput):
            opinion.addresses(branch, index, 1)
    with pytest.raises(InvalidInput):
        opinion.addresses(0, 2**31 - 1, 2)


def test_engines_that_disagree_raise_the_alarm() -> None:
    require_same_scripts([b"\x51"], [b"\x51"], what="branch 0")
    for first, second in (([b"\x51"], [b"\x52"]), ([b"\x51"], []), ([b"\x51", b"\x52"], [b"\x52", b"\x51"])):
        with pytest.raises(CheckFailed) as refused:
            require_same_scripts(first, second, what="branch 0")
        assert refused.value.code is Code.ENGINES_DISAGREE
