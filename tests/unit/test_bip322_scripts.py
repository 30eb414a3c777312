"""Scripts that our own engine doesn't know: judged by Core's interpreter and by their form, or not at all.

Each verdict is compared with btclib-wallet's: where we say valid or invalid, so does it.
"""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from btclib.exceptions import InconclusiveError  # type: ignore[import-untyped, unused-ignore]
from btclib_wallet import bip322 as theirs  # type: ignore[import-untyped, unused-ignore]
from embit import ec
from embit.util import secp256k1

from custody.bitcoin import kernel
from custody.bitcoin.address import address_of
from custody.bitcoin.amount import Sats
from custody.bitcoin.bip322 import MessageResult, MessageVerdict, judge_inputs, to_sign, verify_message
from custody.bitcoin.bip322_scripts import pushes_of
from custody.bitcoin.hashing import hash160, sha256
from custody.bitcoin.network import Network
from custody.bitcoin.script import p2wsh_script
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput

MESSAGE = b"a message"
KEYS = [ec.PrivateKey(sha256(b"custody test key, signed messages %d" % number)) for number in range(2)]
PUBLIC = [key.get_public_key().sec() for key in KEYS]
IF, ELSE, ENDIF, CSV, CLTV, DROP, CHECKSIG, VERIFY = (bytes([code]) for code in (99, 103, 104, 178, 177, 117, 172, 105))
FIRST, SECOND = (b"\x21" + key for key in PUBLIC)
TWO_WAYS = IF + FIRST + ELSE + b"\x02\xe0\x07" + CSV + DROP + SECOND + ENDIF + CHECKSIG
LOCKED = b"\x03\xa0\xbb\x0d" + CLTV + DROP + FIRST + CHECKSIG
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

pytestmark = pytest.mark.skipif(not kernel.is_available(), reason="libbitcoinkernel is missing on this Python")


def judged(script_pubkey: bytes, text: str) -> MessageResult:
    """Return our verdict, after comparing it with btclib's."""
    ours = verify_message(MESSAGE, script_pubkey, text, outputs={})
    if ours.verdict is not MessageVerdict.INCONCLUSIVE:
        try:
            theirs.assert_as_valid(MESSAGE, address_of(script_pubkey, Network.MAIN), text)
            told = MessageVerdict.VALID
        except InconclusiveError:
            told = MessageVerdict.INCONCLUSIVE
        except (ValueError, RuntimeError):
            told = MessageVerdict.INVALID
        assert ours.verdict is told, (ours.reason, told)
    return ours


def signed(
    script: bytes,
    stack: Callable[[Callable[[int], bytes]], list[bytes]],
    *,
    sequence: int = 0,
    lock_time: int = 0,
) -> tuple[bytes, str]:
    """Return the address's script and a full signature whose witness `stack` makes, given a signer by key number."""
    script_pubkey = p2wsh_script(script)
    bare = to_sign(MESSAGE, script_pubkey)
    inputs = (replace(bare.inputs[0], sequence=sequence),)
    bare = Transaction(2, inputs, bare.outputs, lock_time)
    digest = SegwitV0Hasher(bare).digest(0, script, 0)
    witness = (*stack(lambda number: KEYS[number].sign(digest).serialize() + b"\x01"), script)
    final = replace(bare, inputs=(replace(bare.inputs[0], witness=witness),))
    return script_pubkey, "ful" + base64.b64encode(final.serialize()).decode()


def test_a_script_with_two_ways_and_its_age() -> None:
    at_once = judged(*signed(TWO_WAYS, lambda by: [by(0), b"\x01"]))
    assert (at_once.verdict, at_once.reason) == (MessageVerdict.VALID, "valid")
    aged = judged(*signed(TWO_WAYS, lambda by: [by(1), b""], sequence=2016))
    assert (aged.verdict, aged.sequence, aged.lock_time) == (MessageVerdict.VALID, 2016, 0)
    assert aged.reason == "valid at lock time 0 and age 2016"
    assert judged(*signed(TWO_WAYS, lambda by: [by(1), b""], sequence=2015)).verdict is MessageVerdict.INVALID
    assert judged(*signed(TWO_WAYS, lambda by: [by(1), b"\x01"])).verdict is MessageVerdict.INVALID


def test_a_script_with_a_lock_time() -> None:
    good = judged(*signed(LOCKED, lambda by: [by(0)], lock_time=900_000))
    assert (good.verdict, good.lock_time) == (MessageVerdict.VALID, 900_000)
    assert judged(*signed(LOCKED, lambda by: [by(0)], lock_time=899_999)).verdict is MessageVerdict.INVALID
    final = judged(*signed(LOCKED, lambda by: [by(0)], lock_time=900_000, sequence=0xFFFFFFFF))
    assert final.verdict is MessageVerdict.INVALID


def test_arguments_that_consensus_takes_and_the_bip_does_not() -> None:
    for true in (b"\x02", b"\x01\x00", b"\x80\x01"):
        result = judged(*signed(TWO_WAYS, lambda by, true=true: [by(0), true]))
        assert (result.verdict, "not minimal" in result.reason) == (MessageVerdict.INVALID, True)
    for false in (b"\x00", b"\x80"):
        result = judged(*signed(TWO_WAYS, lambda by, false=false: [by(1), false], sequence=2016))
        assert result.verdict is MessageVerdict.INVALID

    def high(by: Callable[[int], bytes]) -> list[bytes]:
        der = by(0)[:-1]
        r_end = 4 + der[3]
        s = ORDER - int.from_bytes(der[r_end + 2 :], "big")
        tail = s.to_bytes(s.bit_length() // 8 + 1, "big")
        body = der[2:r_end] + b"\x02" + bytes([len(tail)]) + tail
        return [b"\x30" + bytes([len(body)]) + body + b"\x01", b"\x01"]

    result = judged(*signed(TWO_WAYS, high))
    assert (result.verdict, "low S" in result.reason) == (MessageVerdict.INVALID, True)


def test_another_sighash_type_behind_a_time_lock_is_invalid() -> None:
    from custody.bitcoin.second_opinion import segwit_v0_sighash

    script_pubkey = p2wsh_script(TWO_WAYS)
    bare = to_sign(MESSAGE, script_pubkey)
    for sighash_type in (0x02, 0x81):
        digest = segwit_v0_sighash(bare.serialize_without_witness(), 0, TWO_WAYS, 0, sighash_type)
        witness = (KEYS[0].sign(digest).serialize() + bytes([sighash_type]), b"\x01", TWO_WAYS)
        final = replace(bare, inputs=(replace(bare.inputs[0], witness=witness),))
        result = judged(script_pubkey, "ful" + base64.b64encode(final.serialize()).decode())
        assert (result.verdict, f"0x{sighash_type:02x}" in result.reason) == (MessageVerdict.INVALID, True)


@pytest.mark.parametrize(
    ("script", "stack", "verdict"),
    [
        (b"\xab" + FIRST + CHECKSIG, [0], MessageVerdict.INVALID),  # OP_CODESEPARATOR
        (b"\xb0" + FIRST + CHECKSIG, [0], MessageVerdict.INCONCLUSIVE),  # a NOP for upgrades
        (FIRST + CHECKSIG + IF + b"\x51" + ELSE + b"\x51" + ENDIF, [0], MessageVerdict.INCONCLUSIVE),
        (FIRST + CHECKSIG + b"\x91", [b""], MessageVerdict.INCONCLUSIVE),  # OP_NOT: true where nobody signed
        (
            FIRST + CHECKSIG + DROP + b"\x51",
            [1],
            MessageVerdict.INCONCLUSIVE,
        ),  # true in spite of the signature
        (
            IF + FIRST + CHECKSIG + ELSE + b"\x51" + ELSE + DROP + b"\x51" + ENDIF,
            [0, b"\x01"],
            MessageVerdict.INCONCLUSIVE,
        ),
        (b"\x4c\x21" + PUBLIC[0] + CHECKSIG, [0], MessageVerdict.INCONCLUSIVE),  # not the shortest push
        (b"\x01\x05" + DROP + FIRST + CHECKSIG, [0], MessageVerdict.INCONCLUSIVE),  # not the shortest number
        (b"\x02\x05\x00" + DROP + FIRST + CHECKSIG, [0], MessageVerdict.INCONCLUSIVE),
        (b"\x51" + DROP + FIRST + CHECKSIG, [0], MessageVerdict.VALID),
        (b"\xa8\x20" + sha256(bytes(32)) + b"\x88" + FIRST + CHECKSIG, [0, bytes(32)], MessageVerdict.VALID),
        (b"\x61" + FIRST + CHECKSIG, [0], MessageVerdict.INCONCLUSIVE),
        (b"\x75" + FIRST + CHECKSIG, [0, b"any"], MessageVerdict.INCONCLUSIVE),
    ],
)
def test_what_the_form_of_a_script_allows(script: bytes, stack: list[Any], verdict: MessageVerdict) -> None:
    made = signed(script, lambda by: [by(item) if isinstance(item, int) else item for item in stack])
    result = judged(*made)
    assert result.verdict is verdict, result.reason


def test_without_the_interpreter_nothing_unknown_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    made = signed(TWO_WAYS, lambda by: [by(0), b"\x01"])
    assert judged(*made).is_valid
    monkeypatch.setattr(kernel, "is_available", lambda: False)
    result = verify_message(MESSAGE, *made, outputs={})
    assert (result.verdict, "libbitcoinkernel" in result.reason) == (MessageVerdict.INCONCLUSIVE, True)


def test_engines_that_differ_are_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    script_pubkey = b"\x00\x14" + hash160(PUBLIC[0])
    bare = to_sign(MESSAGE, script_pubkey)
    digest = SegwitV0Hasher(bare).digest(0, b"\x76\xa9\x14" + script_pubkey[2:] + b"\x88\xac", 0)
    witness = (KEYS[0].sign(digest).serialize() + b"\x01", PUBLIC[0])
    final = replace(bare, inputs=(replace(bare.inputs[0], witness=witness),))
    spent = [TxOutput(Sats(0), script_pubkey)]
    assert judge_inputs(final, spent).is_valid
    monkeypatch.setattr(kernel, "satisfied_inputs", lambda _transaction, outputs: iter([False] * len(outputs)))
    ruling = judge_inputs(final, spent)
    assert (ruling.verdict, "disagree" in ruling.reason) == (MessageVerdict.INCONCLUSIVE, True)


def test_more_inputs_without_a_witness_than_are_judged() -> None:
    inputs = tuple(TxInput(OutPoint("11" * 32, number)) for number in range(101))
    spent = [TxOutput(Sats(1), b"\x76\xa9\x14" + bytes(20) + b"\x88\xac")] * 101
    ruling = judge_inputs(Transaction(0, inputs, (), 0), spent)
    assert ruling.verdict is MessageVerdict.INCONCLUSIVE


class Leaf:
    """A taproot output with one leaf, and with an internal key that somebody holds."""

    def __init__(self, script: bytes, version: int = 0xC0) -> None:
        self.internal = KEYS[0]
        self.script, self.version = script, version
        self.leaf = tagged(b"TapLeaf", bytes([version]) + bytes([len(script)]) + script)
        self.tweaked = self.internal.taproot_tweak(self.leaf)
        self.script_pubkey = b"\x51\x20" + self.tweaked.xonly()
        inner = self.internal.get_public_key().xonly()
        point = secp256k1.ec_pubkey_parse(b"\x02" + inner)
        added = secp256k1.ec_pubkey_add(point, tagged(b"TapTweak", inner + self.leaf))
        parity = secp256k1.ec_pubkey_serialize(added)[0] & 1
        self.control = bytes([version | parity]) + self.internal.get_public_key().xonly()

    def digest(self, bare: Transaction, sighash_type: int, *, by_leaf: bool) -> bytes:
        """Return what is signed for the first input (BIP 341, BIP 342)."""
        from embit.script import Script
        from embit.transaction import Transaction as TheirTransaction

        tx = TheirTransaction.parse(bare.serialize_without_witness())
        ext = {"ext_flag": 1, "script": Script(self.script), "leaf_version": self.version} if by_leaf else {}
        found: bytes = tx.sighash_taproot(0, [Script(self.script_pubkey)], [0], sighash=sighash_type, **ext)
        return found


def tagged(tag: bytes, data: bytes) -> bytes:
    return sha256(sha256(tag) * 2 + data)


def taproot_text(leaf: Leaf, witness: Callable[[Transaction], tuple[bytes, ...]]) -> str:
    bare = to_sign(MESSAGE, leaf.script_pubkey)
    final = replace(bare, inputs=(replace(bare.inputs[0], witness=witness(bare)),))
    return "ful" + base64.b64encode(final.serialize()).decode()


def test_taproot_by_key_and_its_types() -> None:
    leaf = Leaf(b"\x20" + PUBLIC[1][1:] + CHECKSIG)

    def by_key(bare: Transaction, sighash_type: int, tail: bytes) -> tuple[bytes, ...]:
        signature = leaf.tweaked.schnorr_sign(leaf.digest(bare, sighash_type, by_leaf=False)).serialize()
        return (signature + tail,)

    assert judged(leaf.script_pubkey, taproot_text(leaf, lambda bare: by_key(bare, 0, b""))).is_valid
    assert judged(leaf.script_pubkey, taproot_text(leaf, lambda bare: by_key(bare, 1, b"\x01"))).is_valid
    for other in (0x02, 0x03, 0x81):
        text = taproot_text(leaf, lambda bare, other=other: by_key(bare, other, bytes([other])))
        assert judged(leaf.script_pubkey, text).verdict is MessageVerdict.INVALID
    with_annex = taproot_text(leaf, lambda bare: (*by_key(bare, 0, b""), b"\x50annex"))
    assert judged(leaf.script_pubkey, with_annex).verdict is not MessageVerdict.VALID


def by_leaf(
    leaf: Leaf, bare: Transaction, *before: bytes, sighash_type: int = 0, tail: bytes = b""
) -> tuple[bytes, ...]:
    """Return the witness that spends by the leaf, signed by the second key."""
    signature = KEYS[1].schnorr_sign(leaf.digest(bare, sighash_type, by_leaf=True)).serialize()
    return (signature + tail, leaf.script, leaf.control)


def test_taproot_by_leaf() -> None:
    key = b"\x20" + PUBLIC[1][1:]
    leaf = Leaf(key + CHECKSIG)
    assert judged(leaf.script_pubkey, taproot_text(leaf, lambda bare: by_leaf(leaf, bare))).is_valid
    other = taproot_text(leaf, lambda bare: by_leaf(leaf, bare, sighash_type=2, tail=b"\x02"))
    assert judged(leaf.script_pubkey, other).verdict is MessageVerdict.INVALID
    for script, verdict in (
        (b"\xab" + key + CHECKSIG, MessageVerdict.INVALID),  # OP_CODESEPARATOR
        (b"\xb0" + key + CHECKSIG, MessageVerdict.INCONCLUSIVE),  # a NOP for upgrades
        (b"\x50" + key + CHECKSIG, MessageVerdict.INCONCLUSIVE),  # OP_SUCCESS80: anything satisfies it
        (b"\x21" + PUBLIC[1] + CHECKSIG, MessageVerdict.INCONCLUSIVE),  # a key of a kind reserved for upgrades
        (b"\x61" + key + CHECKSIG, MessageVerdict.INCONCLUSIVE),
    ):
        one = Leaf(script)
        result = judged(one.script_pubkey, taproot_text(one, lambda bare, one=one: by_leaf(one, bare)))
        assert result.verdict is verdict, (script.hex(), result.reason)
    later = Leaf(key + CHECKSIG, version=0xC2)
    result = judged(later.script_pubkey, taproot_text(later, lambda bare: by_leaf(later, bare)))
    assert (result.verdict, "leaf version" in result.reason) == (MessageVerdict.INCONCLUSIVE, True)


@pytest.mark.parametrize(
    ("script_sig", "pushes"),
    [
        (b"", ()),
        (b"\x00", (b"",)),
        (b"\x02ab\x01x", (b"ab", b"x")),
        (b"\x4c\x4c" + b"x" * 76, (b"x" * 76,)),
        (b"\x4c\x02ab", None),
        (b"\x4d\x02\x00ab", None),
        (b"\x4d\xff\x00" + b"x" * 255, None),
        (b"\x4d\x00\x01" + b"x" * 256, (b"x" * 256,)),
        (b"\x4d\x00", None),
        (b"\x03ab", None),
        (b"\x01\x05", None),
        (b"\x01\x81", None),
        (b"\x51", None),
        (b"\x4c", None),
    ],
)
def test_a_script_of_pushes_alone(script_sig: bytes, pushes: tuple[bytes, ...] | None) -> None:
    assert pushes_of(script_sig) == pushes
