"""Attacks A10 to A19 on who is in the wallet, against the library; one test or more per id."""

from dataclasses import replace

import pytest

from custody.bitcoin.descriptor import Descriptor, ScriptType
from custody.bitcoin.keys import HARDENED, KeyExpression, KeyOrigin
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CheckFailed, CustodyError, Severity
from custody.vault.checks import inspect_vault, require_sound
from custody.vault.compare import compare_vaults
from custody.vault.formats.registry import ImportTerms
from custody.vault.importing import Imported, import_vault
from custody.vault.vault import Vault
from support.vaults import expression, make_keys, make_vault, rechecksummed, vault_of

TERMS = ImportTerms("reserve", Network.REGTEST)


def _import(text: str, expected: str | None = None, terms: ImportTerms = TERMS) -> Imported:
    return import_vault(text.encode(), terms, expected_descriptor=expected)


def _refusal(text: str, expected: str | None = None, terms: ImportTerms = TERMS) -> tuple[Code, int]:
    with pytest.raises(CustodyError) as refused:
        _import(text, expected, terms)
    return refused.value.code, refused.value.exit_code


def _codes(vault: Vault) -> set[tuple[Code, Severity]]:
    return {(finding.code, finding.severity) for finding in inspect_vault(vault)}


# A10, cosigner substitution


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a10_one_key_replaced_under_the_same_origin(position: int) -> None:
    true = make_vault()
    attacker = make_keys(1, seed=99)[0].key
    origin = true.cosigners[position].key.origin
    dressed = KeyExpression(origin, replace(attacker, child_number=origin.path[-1]))
    keys = tuple(dressed if at == position else item.key for at, item in enumerate(true.cosigners))
    false = vault_of(keys)
    assert _refusal(false.descriptor_text, true.descriptor_text) == (Code.COSIGNER_MISMATCH, 3)
    findings = compare_vaults(false, true)
    assert (findings[0].code, findings[0].where) == (Code.COSIGNER_MISMATCH, f"key:{position + 1}")


def test_a10_a_true_key_under_a_false_origin() -> None:
    true = make_vault()
    lied = replace(true.cosigners[0].key, origin=KeyOrigin(b"\x01\x02\x03\x04", true.cosigners[0].key.origin.path))
    false = vault_of((lied, *(item.key for item in true.cosigners[1:])))
    assert _refusal(false.descriptor_text, true.descriptor_text) == (Code.COSIGNER_MISMATCH, 3)


def test_a10_a_true_key_with_another_chain_code() -> None:
    true = make_vault()
    first = true.cosigners[0].key
    other = replace(first, key=replace(first.key, chain_code=bytes(31) + b"\x01"))
    false = vault_of((other, *(item.key for item in true.cosigners[1:])))
    assert _refusal(false.descriptor_text, true.descriptor_text) == (Code.COSIGNER_MISMATCH, 3)


def test_a10_the_expected_vault_is_taken_whatever_the_spelling() -> None:
    true = make_vault()
    spelled = rechecksummed(true.descriptor_text.replace("h/", "'/").replace("h]", "']"))
    assert spelled != true.descriptor_text
    imported = _import(true.descriptor_text, spelled)
    assert (imported.vault.vault_id, imported.remarks, imported.key_findings) == (true.vault_id, (), ())


# A11, a key twice


def test_a11_the_same_key_twice() -> None:
    keys = make_keys(3)
    assert _refusal(vault_of((keys[0], keys[1], keys[0])).descriptor_text) == (Code.DUPLICATE_COSIGNER, 6)


def test_a11_the_same_key_with_altered_parent_depth_child_number_and_fingerprint() -> None:
    keys = make_keys(3)
    path = tuple(HARDENED + step for step in (48, 1, 7, 2, 5))
    disguised = expression(b"\x0a\x0b\x0c\x0d", path, keys[0].key)
    assert disguised.to_text(Network.REGTEST) != keys[0].to_text(Network.REGTEST)
    codes = _codes(vault_of((keys[0], keys[1], disguised)))
    assert (Code.DUPLICATE_COSIGNER, Severity.REFUSE) in codes
    assert (Code.DUPLICATE_FINGERPRINT, Severity.REFUSE) not in codes


def test_a11_the_same_public_key_with_another_chain_code() -> None:
    keys = make_keys(3)
    path = keys[2].origin.path
    disguised = expression(b"\x0a\x0b\x0c\x0d", path, replace(keys[0].key, chain_code=keys[2].key.chain_code))
    assert _codes(vault_of((keys[0], keys[1], disguised))) == {(Code.DUPLICATE_COSIGNER, Severity.REFUSE)}


def test_a11_keys_on_other_branches() -> None:
    text = make_vault().descriptor_text.partition("#")[0]
    first, second = text.split("/<0;1>/*", 1)
    assert _refusal(rechecksummed(f"{first}/<2;3>/*{second}"))[0] in (
        Code.MIXED_MULTIPATH,
        Code.DESCRIPTOR_UNSUPPORTED,
    )


# A12, related keys


@pytest.mark.parametrize("steps", [(0,), (1000,), (0, 1000), (1000, 1)])
def test_a12_a_key_below_another_ones_xpub(steps: tuple[int, ...]) -> None:
    keys = make_keys(3)
    child = keys[0].key
    for step in steps:
        child = child.child(step)
    hidden = expression(b"\x0a\x0b\x0c\x0d", keys[2].origin.path, child)
    assert _codes(vault_of((keys[0], keys[1], hidden))) == {(Code.RELATED_COSIGNER, Severity.REFUSE)}


def test_a12_two_cosigners_with_one_fingerprint() -> None:
    keys = make_keys(3)
    claimed = replace(keys[2], origin=KeyOrigin(keys[0].origin.fingerprint, keys[2].origin.path))
    vault = vault_of((keys[0], keys[1], claimed))
    assert _codes(vault) == {(Code.DUPLICATE_FINGERPRINT, Severity.REFUSE)}
    assert _refusal(vault.descriptor_text) == (Code.DUPLICATE_FINGERPRINT, 6)


# A13, metadata that lies


def _with_first_key(vault: Vault, key_text: str) -> str:
    first = vault.cosigners[0].key.to_text(vault.network)
    return rechecksummed(vault.descriptor_text.replace(first, key_text))


def test_a13_depth_child_number_and_parent_contradict_the_origin() -> None:
    vault = make_vault()
    first = vault.cosigners[0].key
    origin = f"[{first.origin.to_text()}]"
    lies = {
        Code.XPUB_DEPTH_MISMATCH: replace(first.key, depth=3),
        Code.XPUB_CHILDNUM_MISMATCH: replace(first.key, child_number=HARDENED + 1),
    }
    for code, key in lies.items():
        assert _refusal(_with_first_key(vault, origin + key.to_base58(vault.network))) == (code, 6)
    shallow = replace(first.key, depth=1, child_number=HARDENED + 48)
    text = f"[{first.origin.fingerprint.hex()}/48h]{shallow.to_base58(vault.network)}"
    assert _refusal(_with_first_key(vault, text)) == (Code.XPUB_PARENT_MISMATCH, 6)


def test_a13_missing_and_zero_origin() -> None:
    vault = make_vault()
    first = vault.cosigners[0].key
    bare = first.key.to_base58(vault.network)
    assert _refusal(_with_first_key(vault, bare)) == (Code.ORIGIN_MISSING, 6)
    zero = first.to_text(vault.network).replace(first.origin.fingerprint.hex(), "00000000")
    assert _refusal(_with_first_key(vault, zero)) == (Code.FINGERPRINT_ZERO, 6)


# A14, the rule itself


@pytest.mark.parametrize("threshold", [1, 3])
def test_a14_a_lowered_or_raised_threshold(threshold: int) -> None:
    true = make_vault()
    false = replace(true.descriptor, threshold=threshold).to_text(true.network)
    assert _refusal(false, true.descriptor_text) == (Code.VAULT_MISMATCH, 3)


@pytest.mark.parametrize("threshold", ["0", "4", "-1", "x", "02"])
def test_a14_an_impossible_threshold(threshold: str) -> None:
    text = make_vault().descriptor_text.replace("sortedmulti(2,", f"sortedmulti({threshold},")
    assert _refusal(rechecksummed(text)) == (Code.THRESHOLD_INVALID, 6)


def test_a14_more_than_fifteen_keys() -> None:
    keys = ",".join(f"{key.to_text(Network.REGTEST)}/<0;1>/*" for key in make_keys(16))
    assert _refusal(rechecksummed(f"wsh(sortedmulti(2,{keys}))")) == (Code.TOO_MANY_KEYS, 6)


def test_a14_a_hidden_second_branch_of_the_script() -> None:
    true = make_vault()
    attacker = f"{make_keys(1, seed=9)[0].to_text(true.network)}/<0;1>/*"
    inner = true.descriptor_text.partition("#")[0].removeprefix("wsh(").removesuffix(")")
    false = rechecksummed(f"wsh(or_d({inner.replace('sortedmulti', 'multi')},pk({attacker})))")
    assert _refusal(false, true.descriptor_text) == (Code.VAULT_MISMATCH, 3)
    assert _refusal(false) == (Code.DESCRIPTOR_UNSUPPORTED, 6)


# A15, checksum


def test_a15_checksum_missing_or_wrong() -> None:
    text = make_vault().descriptor_text
    assert _refusal(text.partition("#")[0]) == (Code.CHECKSUM_MISSING, 6)
    wrong = "q" if text[-1] != "q" else "p"
    assert _refusal(text[:-1] + wrong) == (Code.CHECKSUM_MISMATCH, 6)
    assert _refusal(text.replace("sortedmulti(2", "sortedmulti(3")) == (Code.CHECKSUM_MISMATCH, 6)


# A16, another script with the same keys


def test_a16_multi_for_sortedmulti() -> None:
    true = make_vault().descriptor_text
    multi = rechecksummed(true.replace("sortedmulti", "multi"))
    assert _refusal(multi, true) == (Code.VAULT_MISMATCH, 3)
    assert _refusal(true, multi) == (Code.VAULT_MISMATCH, 3)


def test_a16_another_wrapper() -> None:
    true = make_vault()
    wrapped = replace(true.descriptor, script_type=ScriptType.SH_WSH_SORTEDMULTI).to_text(true.network)
    assert _refusal(wrapped, true.descriptor_text) == (Code.VAULT_MISMATCH, 3)


def test_a16_keys_in_another_order_are_the_same_scripts() -> None:
    true = make_vault()
    other = vault_of(tuple(item.key for item in true.cosigners)[::-1])
    imported = _import(other.descriptor_text, true.descriptor_text)
    assert imported.vault.vault_id == true.vault_id
    assert imported.vault.first_address == true.first_address
    assert [(item.code, item.severity) for item in imported.remarks] == [(Code.SAME_SCRIPTS_OTHER_TEXT, Severity.WARN)]


# A17, networks


def test_a17_a_key_of_another_network() -> None:
    regtest, main = make_vault(), make_vault(network=Network.MAIN)
    mixed = _with_first_key(regtest, main.cosigners[0].key.to_text(Network.MAIN))
    assert _refusal(mixed) == (Code.NETWORK_MISMATCH, 6)
    assert _refusal(regtest.descriptor_text, terms=ImportTerms("r", Network.MAIN)) == (Code.NETWORK_MISMATCH, 6)


def test_a17_a_test_coin_type_on_main() -> None:
    keys = make_keys(3, network=Network.MAIN)
    path = (HARDENED + 48, HARDENED + 1, HARDENED, HARDENED + 2)
    odd = expression(b"\x0a\x0b\x0c\x0d", path, keys[2].key)
    vault = vault_of((*keys[:2], odd), network=Network.MAIN)
    with pytest.raises(CustodyError) as refused:
        require_sound(vault)
    assert refused.value.code is Code.NETWORK_MISMATCH


def test_a17_slip132_inside_a_descriptor_and_beside_it() -> None:
    vault = make_vault()
    first = vault.cosigners[0].key
    text = f"[{first.origin.to_text()}]{_slip132(first)}"
    assert _refusal(_with_first_key(vault, text)) == (Code.SLIP132_NOT_ALLOWED, 6)
    assert KeyExpression.parse_converting_slip132(text, vault.network) == (first, True)


def _slip132(key: KeyExpression) -> str:
    from custody.bitcoin.encoding import base58check_encode

    return base58check_encode(bytes.fromhex("02575483") + key.key.to_bytes78(Network.REGTEST)[4:])


# A18, another purpose


def test_a18_a_single_signature_path_warns_and_does_not_refuse() -> None:
    keys = make_keys(3)
    path = (HARDENED + 84, HARDENED + 1, HARDENED)
    odd = expression(b"\x0a\x0b\x0c\x0d", path, keys[2].key)
    imported = _import(vault_of((*keys[:2], odd)).descriptor_text)
    assert [(item.code, item.severity) for item in imported.key_findings] == [(Code.UNUSUAL_PATH, Severity.WARN)]
    assert "84h/1h/0h" in imported.key_findings[0].message


# A19, branches


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("/<0;1>/*", "/<1;0>/*", Code.CHAINS_SWAPPED),
        ("/<0;1>/*", "/<0;1>", Code.NOT_RANGED),
        ("/<0;1>/*", "/<0;1>/*h", Code.HARDENED_PUBLIC_DERIVATION),
        ("/<0;1>/*", "/<0h;1h>/*", Code.HARDENED_PUBLIC_DERIVATION),
        ("/<0;1>/*", "/<0;2147483648>/*", Code.INDEX_OUT_OF_RANGE),
        ("/48h/", "/48H/", Code.BAD_HARDENED_MARKER),
        ("/<0;1>/*", "/0/*", Code.CHANGE_BRANCH_MISSING),
        ("/<0;1>/*", "/1/*", Code.CHANGE_BRANCH_MISSING),
    ],
)
def test_a19_branches_and_steps(old: str, new: str, code: Code) -> None:
    text = make_vault().descriptor_text.partition("#")[0]
    assert old in text or old == "/48h/"
    assert _refusal(rechecksummed(text.replace(old, new))) == (code, 6)


def test_a19_one_key_on_one_branch_only() -> None:
    text = make_vault().descriptor_text.partition("#")[0]
    assert _refusal(rechecksummed(text.replace("/<0;1>/*", "/0/*", 1))) == (Code.MIXED_MULTIPATH, 6)


def test_a19_two_lines_join_and_lines_of_different_vaults_do_not() -> None:
    vault, other = make_vault(), make_vault(seed=2)
    receive, change = (vault.descriptor.single_branch_text(branch, vault.network) for branch in (0, 1))
    assert _import(f"{receive}\n{change}\n").vault.vault_id == vault.vault_id
    assert _import(f"{change}\n{receive}\n").vault.vault_id == vault.vault_id
    foreign = other.descriptor.single_branch_text(1, other.network)
    assert _refusal(f"{receive}\n{foreign}\n") == (Code.VAULT_MISMATCH, 6)
    assert _refusal(f"{receive}\n{receive}\n")[1] == 6


def test_a19_receive_only_is_a_decision() -> None:
    vault = make_vault()
    receive = vault.descriptor.single_branch_text(0, vault.network)
    assert _refusal(receive) == (Code.CHANGE_BRANCH_MISSING, 6)
    accepted = _import(receive, terms=ImportTerms("reserve", Network.REGTEST, receive_only=True)).vault
    assert accepted.receive_only
    assert accepted.vault_id != vault.vault_id
    assert _refusal(receive, vault.descriptor_text, ImportTerms("r", Network.REGTEST, receive_only=True)) == (
        Code.VAULT_MISMATCH,
        3,
    )


def test_setup_vaults_that_differ_never_compare_equal() -> None:
    keys = make_keys(2)
    twice_first = Descriptor(ScriptType.WSH_SORTEDMULTI, 2, (keys[0], keys[0], keys[1]), (0, 1))
    twice_second = Descriptor(ScriptType.WSH_SORTEDMULTI, 2, (keys[0], keys[1], keys[1]), (0, 1))
    with pytest.raises(CheckFailed) as refused:
        _import(twice_first.to_text(Network.REGTEST), twice_second.to_text(Network.REGTEST))
    assert refused.value.code is Code.VAULT_MISMATCH
