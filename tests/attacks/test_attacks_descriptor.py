"""Attacks A13 to A19 on keys and descriptors: each is refused with its own code."""

import pytest

from custody.bitcoin.descriptor import Branch, Descriptor, add_checksum, join_branches
from custody.bitcoin.keys import KeyExpression
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import InvalidInput, SecretRefused
from support.sample_keys import MAIN_KEYS, edited, vault_text

FIRST, SECOND, THIRD = MAIN_KEYS
BARE_XPUB = FIRST.rpartition("]")[2]
ROOT_XPUB = edited(BARE_XPUB, depth=b"\0", parent=bytes(4), child=bytes(4))
SEVENTEEN = [edited(FIRST, chain_code=bytes([number]) * 32) for number in range(17)]


def refusal(text: str, network: Network = Network.MAIN) -> Code:
    with pytest.raises(InvalidInput) as refused:
        Descriptor.parse(text, network)
    return refused.value.code


def with_first(key: str, step: str = "/<0;1>/*") -> str:
    return add_checksum(f"wsh(sortedmulti(2,{key}{step},{SECOND}/<0;1>/*,{THIRD}/<0;1>/*))")


def test_the_unaltered_descriptor_is_read() -> None:
    descriptor = Descriptor.parse(vault_text(), Network.MAIN)
    assert (descriptor.threshold, len(descriptor.keys), descriptor.branches) == (2, 3, (0, 1))
    assert descriptor.to_text(Network.MAIN) == vault_text()


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (edited(FIRST, depth=b"\x03"), Code.XPUB_DEPTH_MISMATCH),
        (edited(FIRST, depth=b"\x05"), Code.XPUB_DEPTH_MISMATCH),
        (FIRST.replace("/48h/0h/0h/2h", "/48h/0h/2h"), Code.XPUB_DEPTH_MISMATCH),
        (FIRST.replace("/48h/0h/0h/2h", ""), Code.XPUB_DEPTH_MISMATCH),
        (edited(FIRST, child=bytes.fromhex("80000001")), Code.XPUB_CHILDNUM_MISMATCH),
        (FIRST.replace("/2h]", "/2]"), Code.XPUB_CHILDNUM_MISMATCH),
        ("[55f8fc5d/2h]" + edited(BARE_XPUB, depth=b"\x01"), Code.XPUB_PARENT_MISMATCH),
        (BARE_XPUB, Code.ORIGIN_MISSING),
        ("[]" + BARE_XPUB, Code.ORIGIN_INVALID),
        (FIRST.replace("55f8fc5d", "55f8fc5"), Code.ORIGIN_INVALID),
        (FIRST.replace("55f8fc5d", "55f8fc5g"), Code.ORIGIN_INVALID),
        (FIRST.replace("55f8fc5d/", "55f8fc5d//"), Code.ORIGIN_INVALID),
        (FIRST.replace("/2h]", "/2h/]"), Code.ORIGIN_INVALID),
        (FIRST.replace("/48h", "/048h"), Code.ORIGIN_INVALID),
        (FIRST.replace("55f8fc5d", "00000000"), Code.FINGERPRINT_ZERO),
        (edited(FIRST, public_key=b"\x02" + b"\xff" * 32), Code.INVALID_PUBLIC_KEY),
        (edited(FIRST, public_key=b"\x04" + bytes(32)), Code.INVALID_PUBLIC_KEY),
        (edited(FIRST, public_key=b"\x03" + bytes(32)), Code.INVALID_PUBLIC_KEY),
        ("[55f8fc5d]" + edited(BARE_XPUB, depth=b"\0"), Code.INVALID_XPUB),
        ("[55f8fc5d]" + edited(BARE_XPUB, depth=b"\0", parent=bytes(4)), Code.INVALID_XPUB),
        ("[55f8fc5d]" + edited(BARE_XPUB, depth=b"\0", child=bytes(4)), Code.INVALID_XPUB),
        ("[55f8fc5d]" + ROOT_XPUB, Code.XPUB_PARENT_MISMATCH),
        (edited(FIRST, version=bytes.fromhex("deadbeef")), Code.INVALID_XPUB),
        (FIRST[:-1] + "w", Code.INVALID_XPUB),
        (FIRST[:-1], Code.INVALID_XPUB),
    ],
)
def test_a13_extended_key_that_contradicts_its_origin(key: str, code: Code) -> None:
    assert refusal(with_first(key)) is code


def test_a13_a_root_key_under_its_own_fingerprint_is_consistent() -> None:
    fingerprint = Descriptor.parse(vault_text(), Network.MAIN).keys[0].key.fingerprint.hex()
    parsed = KeyExpression.parse(f"[{fingerprint}]{ROOT_XPUB}", Network.MAIN)
    assert parsed.key.depth == 0


@pytest.mark.parametrize("threshold", ["0", "4", "-1", "+2", "02", "2.0", "two", "", "9" * 400])
def test_a14_threshold(threshold: str) -> None:
    assert refusal(vault_text(threshold=threshold)) is Code.THRESHOLD_INVALID


def test_a14_too_many_keys() -> None:
    assert Descriptor.parse(vault_text(SEVENTEEN[:15], threshold=15), Network.MAIN).threshold == 15
    assert refusal(vault_text(SEVENTEEN[:16])) is Code.TOO_MANY_KEYS
    assert refusal(vault_text(SEVENTEEN)) is Code.TOO_MANY_KEYS


@pytest.mark.parametrize(
    "template",
    [
        "wsh(multi({}))",
        "sh(wsh(multi({})))",
        "sh(sortedmulti({}))",
        "sortedmulti({})",
        "wsh(or_d(multi({0}),pk({1}/<0;1>/*)))",
        "wsh(thresh(2,pk({1}/<0;1>/*),s:pk({1}/<2;3>/*)))",
        "wsh(andor(pk({1}/0/*),older(9),pk({1}/1/*)))",
        "tr({1}/<0;1>/*)",
        "tr({1}/<0;1>/*,sortedmulti_a({0}))",
        "pk({1}/<0;1>/*)",
        "pkh({1}/<0;1>/*)",
        "wpkh({1}/<0;1>/*)",
        "sh(wpkh({1}/<0;1>/*))",
        "combo({1}/<0;1>/*)",
        "wsh(pk({1}/<0;1>/*))",
        "wsh(pkh({1}/<0;1>/*))",
        "addr(bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4)",
        "raw(deadbeef)",
        "rawtr({1}/<0;1>/*)",
        "wsh(sortedmulti(2,musig({1},{1})/<0;1>/*,{1}/<0;1>/*))",
        "wsh(sortedmulti(1,0260b2003c386519fc9eadf2b5cf124dd8eea4c4e68d5e154050a9346ea98ce600))",
    ],
)
def test_a14_a16_kinds_that_are_not_built(template: str) -> None:
    multisig = f"2,{SECOND}/<0;1>/*,{THIRD}/<0;1>/*"
    assert refusal(add_checksum(template.format(multisig, FIRST))) is Code.DESCRIPTOR_UNSUPPORTED


@pytest.mark.parametrize(
    "template",
    [
        "wsh(wsh(sortedmulti({})))",
        "sh(sh(sortedmulti({})))",
        "wsh(sh(sortedmulti({})))",
        "sh(wsh(wsh(sortedmulti({}))))",
        "wsh(sortedmulti_a({}))",
        "wsh(wpkh({}))",
        "wsh(tr({}))",
        "wsh(sortedmulti({})",
        "wsh(sortedmulti({})))",
        " wsh(sortedmulti({}))",
        "wsh(sortedmulti({})) ",
        "wsh( sortedmulti({}))",
        "wsh(sortedmulti(({})))",
        "WSH(sortedmulti({}))",
        "wsh(sortedmulti(2))",
        "",
        "wsh",
        "wsh()",
    ],
)
def test_a14_text_that_is_no_descriptor(template: str) -> None:
    multisig = f"2,{SECOND}/<0;1>/*,{THIRD}/<0;1>/*"
    assert refusal(add_checksum(template.format(multisig))) is Code.DESCRIPTOR_INVALID


def test_a15_checksum_missing() -> None:
    body = vault_text().partition("#")[0]
    assert refusal(body) is Code.CHECKSUM_MISSING
    assert refusal(body + "#") is Code.CHECKSUM_MISSING


def test_a15_checksum_wrong() -> None:
    text = vault_text()
    for wrong in (text[:-1] + ("q" if text[-1] != "q" else "p"), text[:-1], text + "q", text.upper(), text + "\n"):
        assert refusal(wrong) is Code.CHECKSUM_MISMATCH


def test_a17_network_mix_up() -> None:
    tpub = edited(FIRST, version=Network.SIGNET.xpub_version)
    assert refusal(with_first(tpub)) is Code.NETWORK_MISMATCH
    assert refusal(vault_text(), Network.SIGNET) is Code.NETWORK_MISMATCH


@pytest.mark.parametrize(
    "version", ["049d7cb2", "04b24746", "0295b43f", "02aa7ed3", "044a5262", "045f1cf6", "02575483"]
)
def test_a17_slip132_inside_a_descriptor(version: str) -> None:
    assert refusal(with_first(edited(FIRST, version=bytes.fromhex(version)))) is Code.SLIP132_NOT_ALLOWED


def test_a17_slip132_elsewhere_is_converted_and_said() -> None:
    zpub = edited(FIRST, version=bytes.fromhex("02aa7ed3"))
    assert KeyExpression.parse_converting_slip132(zpub, Network.MAIN) == (
        KeyExpression.parse(FIRST, Network.MAIN),
        True,
    )
    assert KeyExpression.parse_converting_slip132(FIRST, Network.MAIN)[1] is False
    with pytest.raises(InvalidInput) as refused:
        KeyExpression.parse_converting_slip132(zpub, Network.REGTEST)
    assert refused.value.code is Code.NETWORK_MISMATCH


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("/0/*", Code.MIXED_MULTIPATH),
        ("/<1;0>/*", Code.MIXED_MULTIPATH),
        ("/<0;1;2>/*", Code.MIXED_MULTIPATH),
        ("/<2;3>/*", Code.MIXED_MULTIPATH),
        ("/<0;1>", Code.NOT_RANGED),
        ("", Code.NOT_RANGED),
        ("/0/5", Code.NOT_RANGED),
        ("/<0;1>/*h", Code.HARDENED_PUBLIC_DERIVATION),
        ("/<0;1>/*'", Code.HARDENED_PUBLIC_DERIVATION),
        ("/<0h;1h>/*", Code.HARDENED_PUBLIC_DERIVATION),
        ("/0'/*", Code.HARDENED_PUBLIC_DERIVATION),
        ("/<0;1>/*H", Code.BAD_HARDENED_MARKER),
        ("/<0H;1H>/*", Code.BAD_HARDENED_MARKER),
        ("/2147483648/*", Code.INDEX_OUT_OF_RANGE),
        ("/<0;4294967296>/*", Code.INDEX_OUT_OF_RANGE),
        ("/<0;1>/*?gl=1", Code.ANNOTATION_PRESENT),
        ("/*", Code.DESCRIPTOR_UNSUPPORTED),
        ("/7/<0;1>/*", Code.DESCRIPTOR_UNSUPPORTED),
        ("/<0;0>/*", Code.DESCRIPTOR_INVALID),
        ("/<0>/*", Code.DESCRIPTOR_INVALID),
        ("/<>/*", Code.DESCRIPTOR_INVALID),
        ("/<0;>/*", Code.DESCRIPTOR_INVALID),
        ("/<0;1/*", Code.DESCRIPTOR_INVALID),
        ("/<0;1>/<0;1>/*", Code.DESCRIPTOR_INVALID),
        ("/*/*", Code.DESCRIPTOR_INVALID),
        ("/0/", Code.DESCRIPTOR_INVALID),
        ("//*", Code.DESCRIPTOR_INVALID),
        ("/<0;1>/**", Code.DESCRIPTOR_INVALID),
        ("/ 0/*", Code.DESCRIPTOR_INVALID),
    ],
)
def test_a19_endings_of_one_key(step: str, code: Code) -> None:
    assert refusal(with_first(FIRST, step)) is code


def test_a19_endings_of_all_keys() -> None:
    assert refusal(vault_text(step="<1;0>")) is Code.CHAINS_SWAPPED
    assert refusal(vault_text(step="<2;3>")) is Code.DESCRIPTOR_UNSUPPORTED
    assert refusal(vault_text(step="<0;1;2>")) is Code.DESCRIPTOR_UNSUPPORTED
    assert refusal(vault_text(step="7")) is Code.DESCRIPTOR_UNSUPPORTED
    assert Descriptor.parse(vault_text(step="0"), Network.MAIN).branches == (Branch.RECEIVE,)
    assert Descriptor.parse(vault_text(step="1"), Network.MAIN).branches == (Branch.CHANGE,)


def test_a19_hardened_marker_in_an_origin() -> None:
    assert refusal(with_first(FIRST.replace("48h", "48H"))) is Code.BAD_HARDENED_MARKER
    assert refusal(with_first(FIRST.replace("48h", "2147483648h"))) is Code.INDEX_OUT_OF_RANGE
    quoted = Descriptor.parse(vault_text([key.replace("h", "'", 2) for key in MAIN_KEYS]), Network.MAIN)
    assert quoted == Descriptor.parse(vault_text(), Network.MAIN)


def test_a19_two_descriptors_of_one_vault() -> None:
    receive = Descriptor.parse(vault_text(step="0"), Network.MAIN)
    change = Descriptor.parse(vault_text(step="1"), Network.MAIN)
    reordered = Descriptor.parse(vault_text(MAIN_KEYS[::-1], step="1"), Network.MAIN)
    assert join_branches(receive, change) == Descriptor.parse(vault_text(), Network.MAIN)
    assert join_branches(receive, reordered) == Descriptor.parse(vault_text(), Network.MAIN)
    for one, other, code in (
        (change, receive, Code.CHAINS_SWAPPED),
        (receive, receive, Code.DESCRIPTOR_INVALID),
        (receive, Descriptor.parse(vault_text(MAIN_KEYS[:2], step="1"), Network.MAIN), Code.VAULT_MISMATCH),
        (receive, Descriptor.parse(vault_text(step="1", threshold=3), Network.MAIN), Code.VAULT_MISMATCH),
        (
            receive,
            Descriptor.parse(vault_text(step="1", template="sh(wsh(sortedmulti({})))"), Network.MAIN),
            Code.VAULT_MISMATCH,
        ),
    ):
        with pytest.raises(InvalidInput) as refused:
            join_branches(one, other)
        assert refused.value.code is code


@pytest.mark.parametrize(
    "version",
    [
        "0488ade4",
        "04358394",
        "049d7878",
        "04b2430c",
        "0295b005",
        "02aa7a99",
        "044a4e28",
        "045f18bc",
        "024285b5",
        "02575048",
    ],
)
def test_private_keys_are_refused_before_anything_else(version: str) -> None:
    private = edited(FIRST, version=bytes.fromhex(version), public_key=b"\0" + b"\x07" * 32)
    for text in (with_first(private), with_first(private).partition("#")[0], with_first(private)[:-1]):
        with pytest.raises(SecretRefused) as refused:
            Descriptor.parse(text, Network.MAIN)
        assert private.rpartition("]")[2][4:20] not in str(refused.value) + refused.value.advice


def test_a_private_key_under_public_version_bytes_is_refused_as_a_secret() -> None:
    with pytest.raises(SecretRefused):
        Descriptor.parse(with_first(edited(FIRST, public_key=b"\0" + b"\x07" * 32)), Network.MAIN)
