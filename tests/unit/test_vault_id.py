"""vault_id: one known answer of our own, and what enters it and what does not."""

import hashlib
from dataclasses import replace

import pytest

from custody.bitcoin.descriptor import Descriptor, ScriptType
from custody.bitcoin.keys import KeyExpression, KeyOrigin
from custody.bitcoin.network import Network
from custody.documents.canonical_json import canonical
from custody.vault.vault_id import template, vault_id, vault_id_document
from support.vaults import make_keys

# The keys of BIP 388's "BIP-48 P2WSH multisig" vector.
KEY_A = (
    "[6738736c/48'/0'/0'/2']xpub6FC1fXFP1GXLX5TKtcjHGT4q89SDRehkQLtbKJ2PzWcvbBHtyDsJPLtpLtkGqYNYZdVVAjRQ5kug9CsapegmmeRut"
    "pP7PW4u4wVF9JfkDhw"
)
KEY_B = (
    "[b2b1f0cf/48'/0'/0'/2']xpub6EWhjpPa6FqrcaPBuGBZRJVjzGJ1ZsMygRF26RwN932Vfkn1gyCiTbECVitBjRCkexEvetLdiqzTcYimmzYxyR1BZ"
    "79KNevgt61PDcukmC7"
)
CANONICAL = (
    b'{"id":"custody-vault-id/1","keys":['
    b'{"chain_code":"aa1c0d84fb134095f4c4ea8b700630c6484c81539723850dfa961610b4b854fc","fingerprint":"b2b1f0cf",'
    b'"path":"48h/0h/0h/2h","public_key":"02ee3887104834ec2970bb793abc7fd37661e2c44c49fb48c10745ef7d7c85b17c"},'
    b'{"chain_code":"0b7e79626235dcc6fe1faf6a6a8634baff2cb2abf80436e99d4acdf699b33810","fingerprint":"6738736c",'
    b'"path":"48h/0h/0h/2h","public_key":"036f155ae2153b09bb4e1383756723c0879e80d0f32767c7e4875d5de2fb9a400d"}],'
    b'"network":"main","template":"wsh(sortedmulti(2,@0/<0;1>/*,@1/<0;1>/*))"}'
)
VAULT_ID = "057aa60a26b815e545efc551f52d8f1ac720b74aaf3663d44521ac3e6c8471a9"


def _known() -> Descriptor:
    keys = tuple(KeyExpression.parse(text, Network.MAIN) for text in (KEY_A, KEY_B))
    return Descriptor(ScriptType.WSH_SORTEDMULTI, 2, keys, (0, 1))


def test_known_answer() -> None:
    assert canonical(vault_id_document(Network.MAIN, _known())) == CANONICAL
    assert hashlib.sha256(CANONICAL).hexdigest() == VAULT_ID
    assert vault_id(Network.MAIN, _known()) == VAULT_ID


def test_order_of_keys_does_not_enter() -> None:
    known = _known()
    assert vault_id(Network.MAIN, replace(known, keys=known.keys[::-1])) == VAULT_ID


def test_hardened_marker_and_fingerprint_case_do_not_enter() -> None:
    keys = tuple(
        KeyExpression.parse(text.replace("'", "h").replace("b2b1f0cf", "B2B1F0CF"), Network.MAIN)
        for text in (KEY_A, KEY_B)
    )
    assert vault_id(Network.MAIN, replace(_known(), keys=keys)) == VAULT_ID


def test_parent_fingerprint_of_an_xpub_does_not_enter() -> None:
    known = _known()
    first = known.keys[0]
    other = replace(first, key=replace(first.key, parent_fingerprint=b"\xde\xad\xbe\xef"))
    assert vault_id(Network.MAIN, replace(known, keys=(other, known.keys[1]))) == VAULT_ID


def test_network_threshold_script_and_branches_enter() -> None:
    known = _known()
    others = {
        vault_id(Network.SIGNET, known),
        vault_id(Network.MAIN, replace(known, threshold=1)),
        vault_id(Network.MAIN, replace(known, script_type=ScriptType.SH_WSH_SORTEDMULTI)),
        vault_id(Network.MAIN, replace(known, branches=(0,))),
    }
    assert len(others | {VAULT_ID}) == 5


@pytest.mark.parametrize("field", ["fingerprint", "path", "public_key", "chain_code"])
def test_every_field_of_a_key_enters(field: str) -> None:
    known = _known()
    first, other = known.keys[0], make_keys(1, seed=9, network=Network.MAIN)[0]
    origin = first.origin
    changed = {
        "fingerprint": lambda: replace(first, origin=KeyOrigin(b"\x01\x02\x03\x04", origin.path)),
        "path": lambda: replace(first, origin=KeyOrigin(origin.fingerprint, (origin.path[0] + 1, *origin.path[1:]))),
        "public_key": lambda: replace(first, key=replace(first.key, public_key=other.key.public_key)),
        "chain_code": lambda: replace(first, key=replace(first.key, chain_code=other.key.chain_code)),
    }[field]()
    assert vault_id(Network.MAIN, replace(known, keys=(changed, known.keys[1]))) != VAULT_ID


def test_template_of_each_script() -> None:
    known = _known()
    assert template(replace(known, script_type=ScriptType.SH_WSH_SORTEDMULTI)) == (
        "sh(wsh(sortedmulti(2,@0/<0;1>/*,@1/<0;1>/*)))"
    )
    assert template(replace(known, branches=(0,))) == "wsh(sortedmulti(2,@0/0/*,@1/0/*))"
