"""Other programs' wallet formats: shapes, oddities and refusals, one by one."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from custody.bitcoin.descriptor import ScriptType, add_checksum
from custody.bitcoin.keys import KeyExpression
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CustodyError, Finding, SecretRefused
from custody.vault.formats.detect import VaultFormat, detect_format
from custody.vault.formats.registry import READERS, WRITERS, ImportTerms, read_vault, write_vault
from custody.vault.vault import Vault
from support.vaults import expression, make_keys, make_vault, vault_of
from support.wallet_files import JSON_FORMATS, TEXT_FORMATS, edited, exported_json, exported_text, with_prefix

TERMS = ImportTerms("reserve", Network.REGTEST)
VAULT = make_vault()
NESTED = make_vault(script_type=ScriptType.SH_WSH_SORTEDMULTI)


def _read(data: bytes | str, terms: ImportTerms = TERMS) -> tuple[Vault, tuple[Finding, ...]]:
    return read_vault(data.encode() if isinstance(data, str) else data, terms)


def _refusal(data: bytes | str, terms: ImportTerms = TERMS) -> Code:
    with pytest.raises(CustodyError) as refused:
        _read(data, terms)
    assert refused.value.exit_code == 6
    return refused.value.code


def _paths_differ() -> Vault:
    one, two, three = make_keys(3)
    other = expression(
        one.origin.fingerprint, (*one.origin.path[:2], one.origin.path[2] ^ 7, one.origin.path[3]), one.key
    )
    return vault_of((other, two, three))


@pytest.mark.parametrize("kind", list(WRITERS))
@pytest.mark.parametrize("vault", [VAULT, NESTED, _paths_differ()], ids=["wsh", "sh-wsh", "paths"])
def test_each_script_kind_comes_back_from_each_format(kind: VaultFormat, vault: Vault) -> None:
    data = write_vault(vault, kind).encode()
    assert detect_format(data) is kind
    returned, _remarks = _read(data)
    assert (returned.vault_id, returned.first_address) == (vault.vault_id, vault.first_address)


def test_every_format_has_a_reader_and_the_others_say_that_they_are_read_only() -> None:
    assert {*READERS, VaultFormat.VAULT} == set(VaultFormat)
    for kind in set(VaultFormat) - set(WRITERS):
        with pytest.raises(CustodyError) as refused:
            write_vault(VAULT, kind)
        assert refused.value.code is Code.UNKNOWN_FORMAT


@pytest.mark.parametrize("kind", JSON_FORMATS)
def test_other_members_numbers_and_order_of_members_do_not_matter(kind: VaultFormat) -> None:
    def dress(document: Any) -> None:
        document["rates"] = {"usd": 1.5, "large": 10**30, "nothing": None}

    data = edited(VAULT, kind, dress)
    assert _read(data)[0].vault_id == VAULT.vault_id
    reversed_members = json.dumps(dict(reversed(json.loads(data).items()))).encode()
    assert _read(reversed_members)[0].vault_id == VAULT.vault_id


@pytest.mark.parametrize("kind", JSON_FORMATS)
def test_a_duplicate_key_trailing_data_and_nan_are_refused(kind: VaultFormat) -> None:
    text = exported_text(VAULT, kind).strip()
    member = next(iter(exported_json(VAULT, kind)))
    duplicate = f'{{"{member}": "other", {text[1:]}'
    for bad in (duplicate, f"{text} {{}}", text[:-1], text.replace("{", '{"x": NaN, ', 1)):
        assert _refusal(bad) is Code.MALFORMED_DOCUMENT


@pytest.mark.parametrize("kind", JSON_FORMATS)
def test_each_member_that_is_missing_or_of_another_type_is_refused(kind: VaultFormat) -> None:
    optional = {"name", "label", "client", "startingAddressIndex", "blockheight", "seed_version", "use_encryption"}
    optional |= {"purposeNodes", "transactions", "devices"}
    for member in exported_json(VAULT, kind).keys() - optional:
        for value in (None, 5, [5], {"a": 5}, "\u202e"):

            def spoil(document: Any, member: str = member, value: object = value) -> None:
                document[member] = value

            assert _refusal(edited(VAULT, kind, spoil)) in set(Code)


@pytest.mark.parametrize("kind", [*JSON_FORMATS, *TEXT_FORMATS, VaultFormat.SPECTER_DIY])
def test_a_key_of_another_network_is_refused(kind: VaultFormat) -> None:
    data = exported_text(VAULT, kind)
    assert _refusal(data, replace(TERMS, network=Network.MAIN)) is Code.NETWORK_MISMATCH


@pytest.mark.parametrize("kind", [VaultFormat.CARAVAN, VaultFormat.SPARROW])
def test_a_stated_network_other_than_the_given_one_is_refused(kind: VaultFormat) -> None:
    for stated in ("mainnet", "testnet", "signet", "elsewhere"):
        data = edited(VAULT, kind, lambda document, stated=stated: document.update(network=stated))
        assert _refusal(data) is Code.NETWORK_MISMATCH
    for network in (Network.TESTNET4, Network.SIGNET):
        data = edited(VAULT, kind, lambda document: document.update(network="testnet"))
        assert _read(data, replace(TERMS, network=network))[0].network is network


@pytest.mark.parametrize("kind", [VaultFormat.CARAVAN, VaultFormat.COLDCARD, VaultFormat.SPARROW])
@pytest.mark.parametrize("vault", [VAULT, NESTED], ids=["wsh", "sh-wsh"])
def test_slip132_keys_are_converted_and_said_so(kind: VaultFormat, vault: Vault) -> None:
    prefix = "Vpub" if vault is VAULT else "Upub"
    text = exported_text(vault, kind)
    for cosigner in vault.cosigners:
        plain = cosigner.key.key.to_base58(vault.network)
        text = text.replace(plain, with_prefix(plain, prefix))
    returned, remarks = _read(text)
    assert returned.vault_id == vault.vault_id
    assert [remark.code for remark in remarks] == [Code.SLIP132_CONVERTED] * 3
    assert all(prefix in remark.message for remark in remarks)


def test_a_slip132_prefix_of_the_other_script_is_refused_and_one_of_single_keys_is_named() -> None:
    plain = VAULT.cosigners[0].key.key.to_base58(VAULT.network)
    text = exported_text(VAULT, VaultFormat.COLDCARD)
    assert _refusal(text.replace(plain, with_prefix(plain, "Upub"))) is Code.IMPORT_INCONSISTENT
    _returned, remarks = _read(text.replace(plain, with_prefix(plain, "vpub")))
    assert "one key" in remarks[0].message


@pytest.mark.parametrize("kind", [VaultFormat.SPECTER, VaultFormat.BIP388, VaultFormat.SPECTER_DIY])
def test_slip132_keys_inside_descriptors_are_refused(kind: VaultFormat) -> None:
    plain = VAULT.cosigners[0].key.key.to_base58(VAULT.network)
    text = exported_text(VAULT, kind).replace(plain, with_prefix(plain, "Vpub")).split("#")
    body = text[0] if len(text) == 1 else text[0] + text[1][8:]
    assert _refusal(body) is Code.SLIP132_NOT_ALLOWED


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        (VaultFormat.CARAVAN, lambda document: document["extendedPublicKeys"][0].pop("xfp")),
        (VaultFormat.CARAVAN, lambda document: document["extendedPublicKeys"][0].update(bip32Path="Unknown")),
        (VaultFormat.SPARROW, lambda document: document["keystores"][0]["keyDerivation"].pop("masterFingerprint")),
        (VaultFormat.SPARROW, lambda document: document["keystores"][0]["keyDerivation"].pop("derivationPath")),
        (VaultFormat.ELECTRUM, lambda document: document["x1/"].update(root_fingerprint=None)),
        (VaultFormat.ELECTRUM, lambda document: document["x1/"].pop("derivation")),
    ],
)
def test_a_key_without_origin_is_refused(kind: VaultFormat, spoil: Callable[[Any], object]) -> None:
    assert _refusal(edited(VAULT, kind, spoil)) is Code.ORIGIN_MISSING


@pytest.mark.parametrize("kind", [VaultFormat.CARAVAN, VaultFormat.SPARROW])
def test_a_fingerprint_of_zeros_is_refused(kind: VaultFormat) -> None:
    text = exported_text(VAULT, kind).replace(VAULT.cosigners[0].fingerprint.hex(), "00000000")
    assert _refusal(text) is Code.FINGERPRINT_ZERO


@pytest.mark.parametrize("name", ["P2SH", "P2TR", "P2WPKH", "P2SH_P2WPKH"])
def test_other_script_kinds_are_refused_by_name(name: str) -> None:
    for kind, member in ((VaultFormat.CARAVAN, "addressType"), (VaultFormat.SPARROW, "scriptType")):
        with pytest.raises(CustodyError) as refused:
            _read(edited(VAULT, kind, lambda document, member=member: document.update({member: name})))
        assert refused.value.code is Code.DESCRIPTOR_UNSUPPORTED
        assert name.replace("_", "-") in refused.value.message
    text = exported_text(VAULT, VaultFormat.COLDCARD).replace("Format: P2WSH", f"Format: {name}")
    assert _refusal(text) is Code.DESCRIPTOR_UNSUPPORTED


def test_a_multisig_text_without_format_is_p2sh_and_refused() -> None:
    text = exported_text(VAULT, VaultFormat.COLDCARD).replace("Format: P2WSH\n", "")
    assert _refusal(text) is Code.DESCRIPTOR_UNSUPPORTED


def _coldcard(*lines: str, keys: tuple[KeyExpression, ...] = tuple(item.key for item in VAULT.cosigners)) -> str:
    """Return a text whose keys are written where a line says `KEY`."""
    rest = iter(keys)
    return "\n".join(
        line
        if line != "KEY"
        else f"{(key := next(rest)).origin.fingerprint.hex()}: {key.key.to_base58(Network.REGTEST)}"
        for line in lines
    )


PATH = "m/" + VAULT.cosigners[0].key.origin.to_text()[9:]
HEAD = ("Name: x", "Policy: 2 of 3", "Format: P2WSH")


def _same_paths() -> tuple[KeyExpression, ...]:
    path = VAULT.cosigners[0].key.origin.path
    return tuple(expression(item.fingerprint, path, item.key.key) for item in VAULT.cosigners)


@pytest.mark.parametrize(
    "lines",
    [
        (*HEAD, f"Derivation: {PATH}", "KEY", "KEY", "KEY"),
        ("# a comment", *HEAD, "", f"Derivation: {PATH}", "KEY", f"derivation: {PATH}", "KEY", "KEY"),
        ("NAME: x", "policy: 2/3", "format: p2wsh", f"Derivation: {PATH}", f"Derivation: {PATH}", "KEY", "KEY", "KEY"),
        (
            *HEAD,
            "Sorted: True",
            f"# derivation: {PATH}",
            "KEY",
            f"# derivation: {PATH}",
            "KEY",
            f"#derivation:{PATH}",
            "KEY",
        ),
        (*HEAD, f"Derivation: {PATH}", f"# derivation: {PATH}", "KEY", "KEY", "KEY"),
    ],
)
def test_multisig_texts_in_the_spellings_that_are_in_use(lines: tuple[str, ...]) -> None:
    keys = _same_paths()
    assert _read(_coldcard(*lines, keys=keys))[0].vault_id == vault_of(keys).vault_id


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        (Code.IMPORT_INCONSISTENT, (*HEAD, f"Derivation: {PATH}", "Derivation: m/48'/1'/9'/2'", "KEY", "KEY", "KEY")),
        (Code.IMPORT_INCONSISTENT, (*HEAD, f"Derivation: {PATH}", "KEY", "KEY", "KEY", "Derivation: m/48'")),
        (Code.IMPORT_INCONSISTENT, (*HEAD, f"Derivation: {PATH}", "KEY", "KEY", "KEY", "# derivation: m/48'")),
        (Code.IMPORT_INCONSISTENT, (*HEAD, f"Derivation: {PATH}", "# derivation: m/1", "# derivation: m/2", "KEY")),
        (
            Code.IMPORT_INCONSISTENT,
            ("# BlueWallet", *HEAD, "Derivation: m/48'/1'/9'/2'", f"# derivation: {PATH}", "KEY", "KEY", "KEY"),
        ),
        (Code.IMPORT_INCONSISTENT, (*HEAD, "Derivation: m/48'", f"# derivation: {PATH}", "KEY", "KEY", "KEY")),
        (Code.IMPORT_INCONSISTENT, (*HEAD, f"Derivation: {PATH}", "KEY", "KEY")),
        (Code.IMPORT_INCONSISTENT, ("Policy: 2 of 4", *HEAD[2:], f"Derivation: {PATH}", "KEY", "KEY", "KEY")),
        (Code.THRESHOLD_INVALID, ("Policy: 0 of 3", *HEAD[2:], f"Derivation: {PATH}", "KEY", "KEY", "KEY")),
        (Code.THRESHOLD_INVALID, ("Policy: 4 of 3", *HEAD[2:], f"Derivation: {PATH}", "KEY", "KEY", "KEY")),
        (Code.MALFORMED_DOCUMENT, ("Policy: two of 3", *HEAD[2:], f"Derivation: {PATH}", "KEY", "KEY", "KEY")),
        (Code.MALFORMED_DOCUMENT, (*HEAD, "Name: y", f"Derivation: {PATH}", "KEY", "KEY", "KEY")),
        (Code.MALFORMED_DOCUMENT, (*HEAD, f"Derivation: {PATH}", "KEY", "KEY", "KEY", "the end")),
        (Code.UNKNOWN_FIELD, (*HEAD, "Color: red", f"Derivation: {PATH}", "KEY", "KEY", "KEY")),
        (Code.DESCRIPTOR_UNSUPPORTED, (*HEAD, "Sorted: False", f"Derivation: {PATH}", "KEY", "KEY", "KEY")),
        (Code.DESCRIPTOR_UNSUPPORTED, (*HEAD, "BlindingKey: 31", f"Derivation: {PATH}", "KEY", "KEY", "KEY")),
        (Code.SECRET_MATERIAL, (*HEAD, "seed: a b c", f"Derivation: {PATH}", "KEY", "KEY", "KEY")),
        (Code.ORIGIN_MISSING, (*HEAD, "KEY", "KEY", "KEY")),
        (Code.BAD_HARDENED_MARKER, (*HEAD, f"Derivation: {PATH.replace('h', 'H')}", "KEY", "KEY", "KEY")),
    ],
)
def test_multisig_texts_that_are_refused(code: Code, lines: tuple[str, ...]) -> None:
    assert _refusal(_coldcard(*lines, keys=_same_paths())) is code


@pytest.mark.parametrize("separator", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\0"])
def test_a_text_whose_lines_some_programs_cut_otherwise_is_refused(separator: str) -> None:
    for kind in (VaultFormat.COLDCARD, VaultFormat.BLUEWALLET):
        text = f"# {separator}Policy: 1 of 3\n" + exported_text(VAULT, kind)
        assert _refusal(text) in (Code.MALFORMED_DOCUMENT, Code.SECRET_MATERIAL)


def test_carriage_returns_at_line_ends_do_not_matter() -> None:
    for kind in TEXT_FORMATS:
        assert _read(exported_text(VAULT, kind).replace("\n", "\r\n"))[0].vault_id == VAULT.vault_id


def test_a_bluewallet_file_overrides_the_common_path_in_a_comment() -> None:
    keys = _same_paths()
    other = expression(
        keys[2].origin.fingerprint, (*keys[2].origin.path[:2], 2**31 + 9, keys[2].origin.path[3]), keys[2].key
    )
    lines = ("# BlueWallet", *HEAD, f"Derivation: {PATH}", "KEY", "KEY", "# derivation: m/48h/1h/9h/2h", "KEY")
    text = _coldcard(*lines, keys=(*keys[:2], other))
    assert _read(text)[0].vault_id == vault_of((*keys[:2], other)).vault_id
    assert _refusal(text.replace("# BlueWallet", "# Coldcard")) is Code.IMPORT_INCONSISTENT


def test_multisig_texts_that_are_too_large_or_no_text() -> None:
    text = exported_text(VAULT, VaultFormat.COLDCARD)
    assert _refusal(text + "# x\n" * 50_000) is Code.FILE_TOO_LARGE
    assert _refusal(text.encode() + b"# \xff\xfe") is Code.MALFORMED_DOCUMENT


def test_an_electrum_file_of_today_and_of_a_coldcard_reads_the_same() -> None:
    def as_coldcard(document: Any) -> None:
        for number in (1, 2, 3):
            store = document.pop(f"x{number}/")
            fingerprint = store.pop("root_fingerprint")
            document[f"x{number}"] = {**store, "type": "hardware"}
            document[f"x{number}"]["ckcc_xfp"] = int.from_bytes(bytes.fromhex(fingerprint), "little")
        document["addresses"] = {
            "receiving": [VAULT.address_at(0, index) for index in range(25)],
            "change": [VAULT.address_at(1, index) for index in range(6)],
        }
        document["genesis_blockhash"] = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"

    assert _read(edited(VAULT, VaultFormat.ELECTRUM, as_coldcard))[0].vault_id == VAULT.vault_id


def test_our_electrum_file_is_of_a_version_that_keeps_fingerprints() -> None:
    # Below 20, Electrum takes the origins for unknown when it brings the file up to date.
    assert exported_json(VAULT, VaultFormat.ELECTRUM)["seed_version"] == 20


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        (Code.IMPORT_INCONSISTENT, lambda document: document.update(wallet_type="2of4")),
        (Code.IMPORT_INCONSISTENT, lambda document: document.pop("x2/")),
        (Code.IMPORT_INCONSISTENT, lambda document: document["x1/"].update(ckcc_xfp=7)),
        (Code.IMPORT_INCONSISTENT, lambda document: document.update(addresses={"receiving": [VAULT.address_at(0, 1)]})),
        (Code.IMPORT_INCONSISTENT, lambda document: document.update(addresses={"change": [VAULT.address_at(0, 0)]})),
        (Code.MALFORMED_DOCUMENT, lambda document: document["x1/"].update(ckcc_xfp=2**32)),
        (Code.MALFORMED_DOCUMENT, lambda document: document.update(x1=document["x1/"])),
        (Code.NETWORK_MISMATCH, lambda document: document.update(genesis_blockhash="00" * 32)),
        (Code.DESCRIPTOR_UNSUPPORTED, lambda document: document.update(wallet_type="standard")),
        (Code.DESCRIPTOR_UNSUPPORTED, lambda document: [document.pop(f"x{number}/") for number in (1, 2, 3)]),
        (Code.SECRET_MATERIAL, lambda document: document["x2/"].update(xprv="c2VjcmV0")),
        (Code.SECRET_MATERIAL, lambda document: document.update(keypairs={"02": "c2VjcmV0"})),
    ],
)
def test_electrum_files_that_are_refused(code: Code, spoil: Callable[[Any], object]) -> None:
    assert _refusal(edited(VAULT, VaultFormat.ELECTRUM, spoil)) is code


def test_electrum_keys_of_two_kinds_and_of_p2sh_are_refused() -> None:
    plain = [item.key.key.to_base58(VAULT.network) for item in VAULT.cosigners]

    def one_nested(document: Any) -> None:
        document["x1/"]["xpub"] = with_prefix(plain[0], "Upub")

    def all_plain(document: Any) -> None:
        for number, key in enumerate(plain, start=1):
            document[f"x{number}/"]["xpub"] = key

    assert _refusal(edited(VAULT, VaultFormat.ELECTRUM, one_nested)) is Code.IMPORT_INCONSISTENT
    assert _refusal(edited(VAULT, VaultFormat.ELECTRUM, all_plain)) is Code.DESCRIPTOR_UNSUPPORTED


@pytest.mark.parametrize(
    ("code", "change"),
    [
        (Code.IMPORT_INCONSISTENT, {"scriptType": "P2SH_P2WSH"}),
        (Code.DESCRIPTOR_UNSUPPORTED, {"policyType": "SINGLE"}),
        (Code.DESCRIPTOR_UNSUPPORTED, {"defaultPolicy": {"miniscript": {"script": "wsh(pk(a))"}}}),
        (Code.THRESHOLD_INVALID, {"defaultPolicy": {"miniscript": {"script": "wsh(sortedmulti(4,a,b,c))"}}}),
        (Code.IMPORT_INCONSISTENT, {"defaultPolicy": {"miniscript": {"script": "wsh(sortedmulti(2,a,b))"}}}),
        (Code.MALFORMED_DOCUMENT, {"keystores": [5]}),
    ],
)
def test_sparrow_wallets_that_are_refused(code: Code, change: dict[str, object]) -> None:
    assert _refusal(edited(VAULT, VaultFormat.SPARROW, lambda document: document.update(change))) is code


@pytest.mark.parametrize("member", ["seed", "masterPrivateExtendedKey"])
def test_a_sparrow_keystore_with_an_encrypted_secret_is_refused(member: str) -> None:
    def add(document: Any) -> None:
        document["keystores"][1][member] = {"encryptedData": {"encryptedBytes": "00ff"}}

    assert _refusal(edited(VAULT, VaultFormat.SPARROW, add)) is Code.SECRET_MATERIAL


def test_sparrow_labels_fit_sixteen_characters_and_stay_apart() -> None:
    names = ("a-very-long-name-of-a-person", "ab", "a-b")
    cosigners = tuple(replace(item, name=name) for item, name in zip(VAULT.cosigners, names, strict=True))
    document = exported_json(replace(VAULT, cosigners=cosigners), VaultFormat.SPARROW)
    assert [store["label"] for store in document["keystores"]] == ["cosigner1", "cosigner2", "cosigner3"]
    assert document["defaultPolicy"]["miniscript"]["script"] == "wsh(sortedmulti(2,cosigner1,cosigner2,cosigner3))"


def _sparrow_text(*, receive: Vault = VAULT, change: Vault = VAULT) -> str:
    return (
        f"# Receive and change descriptor:\n{VAULT.descriptor_text}\n\n\n"
        f"# Receive descriptor:\n{receive.descriptor.single_branch_text(0, Network.REGTEST)}\n\n"
        f"# Change descriptor:\n{change.descriptor.single_branch_text(1, Network.REGTEST)}\n"
    )


def test_sparrow_descriptor_text_with_headings_or_labels() -> None:
    assert detect_format(_sparrow_text().encode()) is VaultFormat.SPARROW_TEXT
    receive, change = (VAULT.descriptor.single_branch_text(branch, Network.REGTEST) for branch in (0, 1))
    whole = f"# Receive and change descriptor:\n{VAULT.descriptor_text}\n"
    for text in (
        _sparrow_text(),
        whole,
        f"Receive: {receive}\nChange: {change}\n",
        f"Change: {change}\nReceive: {receive}",
    ):
        assert _read(text)[0].vault_id == VAULT.vault_id


def test_sparrow_descriptor_texts_that_contradict_themselves() -> None:
    other = make_vault(seed=9)
    receive, change = (VAULT.descriptor.single_branch_text(branch, Network.REGTEST) for branch in (0, 1))
    assert _refusal(_sparrow_text(receive=other, change=other)) is Code.IMPORT_INCONSISTENT
    assert _refusal(_sparrow_text(change=other)) is Code.VAULT_MISMATCH
    assert _refusal(f"Receive: {change}\nChange: {receive}") is Code.IMPORT_INCONSISTENT
    assert _refusal(f"Receive: {receive}\nReceive: {receive}") is Code.IMPORT_INCONSISTENT
    assert _refusal(f"Receive: {receive}") is Code.CHANGE_BRANCH_MISSING
    assert _refusal(f"Receive: {receive}\nand no more") is Code.MALFORMED_DOCUMENT
    assert _refusal("# a descriptor\n") is Code.MALFORMED_DOCUMENT


def _full_specter(document: Any) -> None:
    document.pop("descriptor")
    document["recv_descriptor"] = VAULT.descriptor.single_branch_text(0, Network.REGTEST)
    document["change_descriptor"] = VAULT.descriptor.single_branch_text(1, Network.REGTEST)
    document["sigs_required"] = 2
    document["keys"] = [{}, {}, {}]


def test_specter_wallet_files_say_it_twice_and_must_agree() -> None:
    assert _read(edited(VAULT, VaultFormat.SPECTER, _full_specter))[0].vault_id == VAULT.vault_id
    lies: list[tuple[Code, dict[str, object]]] = [
        (Code.IMPORT_INCONSISTENT, {"sigs_required": 1}),
        (Code.IMPORT_INCONSISTENT, {"keys": [{}, {}]}),
        (Code.IMPORT_INCONSISTENT, {"devices": [{}, {}]}),
        (
            Code.VAULT_MISMATCH,
            {"change_descriptor": make_vault(seed=9).descriptor.single_branch_text(1, Network.REGTEST)},
        ),
        (Code.DESCRIPTOR_INVALID, {"change_descriptor": VAULT.descriptor.single_branch_text(0, Network.REGTEST)}),
        (Code.SECRET_MATERIAL, {"mnemonic": "x"}),
    ]
    for code, lie in lies:
        data = edited(
            VAULT, VaultFormat.SPECTER, lambda document, lie=lie: (_full_specter(document), document.update(lie))
        )
        assert _refusal(data) is code


@pytest.mark.parametrize("ending", ["", "/**", "/{0,1}/*", "/<0;1>/*"])
def test_endings_that_mean_both_branches(ending: str) -> None:
    body = VAULT.descriptor_text.partition("#")[0].replace("/<0;1>/*", ending)
    returned, remarks = _read(f"addwallet my vault&{body}")
    assert (returned.vault_id, [remark.code for remark in remarks]) == (VAULT.vault_id, [Code.CHECKSUM_MISSING])
    checked, none = _read(f"addwallet my vault&{add_checksum(body)}")
    assert (checked.vault_id, none) == (VAULT.vault_id, ())
    assert _refusal(f"addwallet my vault&{body}#qqqqqqqq") is Code.CHECKSUM_MISMATCH


def test_endings_that_differ_between_keys_are_refused() -> None:
    body = VAULT.descriptor_text.partition("#")[0]
    mixed = body.replace("/<0;1>/*", "/**", 1)
    assert _refusal(f"addwallet x&{mixed}") in (Code.DESCRIPTOR_INVALID, Code.MIXED_MULTIPATH, Code.NOT_RANGED)
    assert _refusal(f"addwallet x&{body.replace('/<0;1>/*', '/0/*', 1)}") is Code.MIXED_MULTIPATH
    assert _refusal(f"addwallet x&{body.replace('<0;1>', '<1;0>')}") is Code.CHAINS_SWAPPED


@pytest.mark.parametrize(
    "line", ["addwallet ", "addwallet name", "addwallet a&wsh(\naddwallet b&wsh(", "addwallet \xff"]
)
def test_addwallet_lines_that_are_none(line: str) -> None:
    assert _refusal(line.encode("latin-1")) is Code.MALFORMED_DOCUMENT


@pytest.mark.parametrize(
    ("code", "template"),
    [
        (Code.IMPORT_INCONSISTENT, "wsh(sortedmulti(2,@0/**,@1/**))"),
        (Code.IMPORT_INCONSISTENT, "wsh(sortedmulti(2,@0/**,@1/**,@2/**,@3/**))"),
        (Code.MALFORMED_DOCUMENT, "wsh(sortedmulti(2,@1/**,@0/**,@2/**))"),
        (Code.MALFORMED_DOCUMENT, "wsh(sortedmulti(2,@0/**,@1/**,@2/**,@/**))"),
        (Code.DESCRIPTOR_INVALID, "x" * 3000),
        (Code.DESCRIPTOR_UNSUPPORTED, "wsh(multi(2,@0/**,@1/**,@2/**))"),
        (Code.DESCRIPTOR_UNSUPPORTED, "tr(@0/**,{pk(@1/**),pk(@2/**)})"),
        (Code.DESCRIPTOR_UNSUPPORTED, "wsh(sortedmulti(2,@0/<2;3>/*,@1/<2;3>/*,@2/<2;3>/*))"),
        (Code.MIXED_MULTIPATH, "wsh(sortedmulti(2,@0/**,@1/**,@2/<2;3>/*))"),
    ],
)
def test_wallet_policies_that_are_refused(code: Code, template: str) -> None:
    data = edited(VAULT, VaultFormat.BIP388, lambda document: document.update(descriptor_template=template))
    assert _refusal(data) is code


def test_a_key_text_that_smuggles_a_second_key_into_the_template_is_refused() -> None:
    extra = make_keys(1, seed=9)[0].to_text(Network.REGTEST)

    def smuggle(document: Any) -> None:
        document["keys_info"][0] = f"{extra}/<0;1>/*,{document['keys_info'][0]}"

    assert _refusal(edited(VAULT, VaultFormat.BIP388, smuggle)) in (Code.ORIGIN_INVALID, Code.INVALID_XPUB)


def test_two_templates_in_one_policy_must_agree() -> None:
    template = exported_json(VAULT, VaultFormat.BIP388)["descriptor_template"]
    for other in (template, template.replace("(2,", "(1,")):
        data = edited(VAULT, VaultFormat.BIP388, lambda document, other=other: document.update(template=other))
        if other == template:
            assert _read(data)[0].vault_id == VAULT.vault_id
        else:
            assert _refusal(data) is Code.MALFORMED_DOCUMENT


def _bsms(first_address: str = VAULT.first_address, restrictions: str = "/0/*,/1/*") -> str:
    body = VAULT.descriptor_text.partition("#")[0].replace("/<0;1>/*", "/**")
    return f"BSMS 1.0\n{body}\n{restrictions}\n{first_address}\n"


def test_plain_bsms_records() -> None:
    for text in (_bsms(), _bsms(restrictions="No path restrictions"), _bsms(VAULT.first_address.upper())):
        assert _read(text)[0].vault_id == VAULT.vault_id
    assert _refusal(_bsms(VAULT.address_at(0, 1))) is Code.BSMS_FIRST_ADDRESS
    assert _refusal(_bsms("elsewhere")) is Code.ADDRESS_INVALID
    for restrictions in ("/2/*", "/0/*", "/1/*,/0/*", "/0/*,/1/*,/2/*"):
        assert _refusal(_bsms(restrictions=restrictions)) is Code.BSMS_PATHS
    assert _refusal(_bsms().replace("/**", "/0/*")) is Code.BSMS_PATHS
    assert _refusal(_bsms().replace("BSMS 1.0", "BSMS 2.0")) is Code.BSMS_VERSION
    assert _refusal(_bsms() + "more\nlines") is Code.MALFORMED_DOCUMENT
    key = VAULT.cosigners[0].key.to_text(Network.REGTEST)
    assert _refusal(f"BSMS 1.0\n00\n{key}\nSigner 1\nH6DX=\n") is Code.UNKNOWN_FORMAT


def test_liana_backups() -> None:
    account = {"descriptor": VAULT.descriptor_text, "name": "main"}
    backup = {"accounts": [account], "network": "regtest", "version": 0}
    assert detect_format(json.dumps(backup).encode()) is VaultFormat.LIANA
    assert _read(json.dumps(backup))[0].vault_id == VAULT.vault_id
    assert _refusal(json.dumps({**backup, "accounts": [account, account]})) is Code.IMPORT_INCONSISTENT
    assert _refusal(json.dumps({**backup, "network": "bitcoin"})) is Code.NETWORK_MISMATCH
    key = VAULT.cosigners[0].key.to_text(Network.REGTEST)
    timelocked = add_checksum(f"wsh(or_d(pk({key}/<0;1>/*),and_v(v:pkh({key}/<2;3>/*),older(65535))))")
    assert _refusal(json.dumps({**backup, "accounts": [{"descriptor": timelocked}]})) is Code.DESCRIPTOR_UNSUPPORTED


def test_core_commands_and_single_objects() -> None:
    listed = exported_text(VAULT, VaultFormat.CORE).strip()
    assert detect_format(f"importdescriptors '{listed}'\n".encode()) is VaultFormat.CORE
    assert _read(f"importdescriptors '{listed}'\n")[0].vault_id == VAULT.vault_id
    assert _read(json.dumps({"name": "x", "desc": VAULT.descriptor_text}))[0].vault_id == VAULT.vault_id
    assert _refusal(f"importdescriptors {listed}") is Code.MALFORMED_DOCUMENT


@pytest.mark.parametrize(
    "data",
    [
        b"H:2,block:3,blockSize:1000",
        b"U1BSVzED7oX1HJm5jfGejCdFrag8QklFMQJ5",
        b"QklFMQORsaKxDA11NAVdB",
        b'{"xfp": "0F056943", "p2wsh_deriv": "m/48h", "p2wsh": "x"}',
        b'["CC-2-of-4", [2, 4], []]',
        b"[da2b78c9/48h/1h/0h/2h]tpubD",
    ],
)
def test_known_files_that_are_no_wallet_are_refused_by_name(data: bytes) -> None:
    assert _refusal(data) is Code.UNKNOWN_FORMAT


def test_secrets_are_refused_before_the_format_is_looked_at() -> None:
    for start in ("", "Policy: 2 of 3\n", "addwallet x&"):
        with pytest.raises(SecretRefused):
            _read(start + "-----BEGIN OPENSSH PRIVATE KEY-----")


def test_the_multisig_texts_look_as_their_devices_expect() -> None:
    def lines(kind: VaultFormat, vault: Vault) -> list[str]:
        return exported_text(vault, kind).splitlines()

    same = vault_of(_same_paths(), script_type=ScriptType.SH_WSH_SORTEDMULTI)
    assert lines(VaultFormat.COLDCARD, same)[:6] == [
        "# Coldcard Multisig setup file (created by custody)",
        "Name: reserve",
        "Policy: 2 of 3",
        "Format: P2SH-P2WSH",
        f"Derivation: {PATH.replace('h', chr(39))}",
        "",
    ]
    assert "Format: P2WSH-P2SH" in lines(VaultFormat.KEYSTONE, same)
    assert lines(VaultFormat.JADE, same).count(f"Derivation: {PATH.replace('h', chr(39))}") == 3
    assert sum(line.startswith("# derivation: ") for line in lines(VaultFormat.BLUEWALLET, _paths_differ())) == 3
    assert not any(":" in line for line in lines(VaultFormat.PASSPORT, same) if line.startswith("#"))
    long = replace(VAULT, name="a-name-of-thirty-characters-ab")
    assert lines(VaultFormat.JADE, long)[1] == "Name: a-name-of-thirt"
