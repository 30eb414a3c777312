"""BIP 322 against btclib-wallet's, on random single keys and vaults of up to 15 keys: one verdict, whatever is bent."""

import base64
import random
from typing import Any

import pytest
from btclib.exceptions import InconclusiveError  # type: ignore[import-untyped, unused-ignore]
from btclib_wallet import bip322 as theirs  # type: ignore[import-untyped, unused-ignore]
from embit import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.bitcoin.address import address_of
from custody.bitcoin.bip322 import MessageVerdict, message_hash, to_sign, to_spend, verify_message
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.hashing import hash160, sha256
from custody.bitcoin.network import Network
from custody.bitcoin.script import multisig_script, p2sh_script, p2wsh_script
from custody.bitcoin.sighash import SegwitV0Hasher, legacy_digest
from custody.bitcoin.transaction import Transaction, TxInput, serialize_witness
from custody.errors import NotYet
from custody.spend.proof import bip127_proof, finish_bip127, finish_message, message_proof, verify_bip127
from custody.spend.proof_model import message_problem
from custody.spend.review_model import Place
from support.proofs import MESSAGE as PROOF_MESSAGE
from support.proofs import outputs_of, proof_coin, proof_of, signed_by, two_coins
from support.review_cases import simulated_vault

KINDS = ("wsh", "sh-wsh", "sh", "wpkh", "sh-wpkh", "pkh")
BENDS = ("nothing", "message", "address", "type", "high S", "order", "dummy", "surplus", "bit", "version", "lock time")
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def secret(rng: random.Random) -> ec.PrivateKey:
    """Return a private key made on the spot."""
    return ec.PrivateKey(rng.randbytes(31) + b"\x01")


def push(item: bytes) -> bytes:
    """Return a push of up to 520 bytes, the shortest one."""
    if len(item) <= 75:
        return bytes([len(item)]) + item
    if len(item) <= 255:
        return b"\x4c" + bytes([len(item)]) + item
    return b"\x4d" + len(item).to_bytes(2, "little") + item


def high_s(der: bytes) -> bytes:
    """Return the same signature with the other S."""
    r_end = 4 + der[3]
    s = ORDER - int.from_bytes(der[r_end + 2 :], "big")
    tail = s.to_bytes(s.bit_length() // 8 + 1, "big")
    body = der[2:r_end] + b"\x02" + bytes([len(tail)]) + tail
    return b"\x30" + bytes([len(body)]) + body


class Signed:
    """A signed message of a random script of one kind, with one thing bent."""

    def __init__(self, kind: str, bend: str, seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311 (repeatable figures, no secrets)
        self.kind, self.bend = kind, bend
        self.message = rng.randbytes(rng.randrange(40)).hex().encode()
        keys = [secret(rng) for _ in range(rng.randint(1, 15))]
        if "pkh" in kind:
            keys = keys[:1]
        public = sorted(key.get_public_key().sec() for key in keys)
        by_key = {key.get_public_key().sec(): key for key in keys}
        threshold = rng.randint(1, len(keys))
        self.inner = multisig_script(threshold, public) if "pkh" not in kind else b""
        self.key_hash = hash160(public[0])
        self.program = p2wsh_script(self.inner) if "pkh" not in kind else b"\x00\x14" + self.key_hash
        self.script = {
            "wsh": self.program,
            "sh-wsh": p2sh_script(self.program),
            "sh": p2sh_script(self.inner),
            "wpkh": self.program,
            "sh-wpkh": p2sh_script(self.program),
            "pkh": b"\x76\xa9\x14" + self.key_hash + b"\x88\xac",
        }[kind]
        bare = to_sign(self.message, self.script)
        version = 3 if bend == "version" else 2 if bend == "lock time" else 0
        lock_time = 900_000 if bend == "lock time" else 0
        self.bare = Transaction(version, bare.inputs, bare.outputs, lock_time)
        chosen = sorted(rng.sample(public, threshold))
        signatures = [by_key[key].sign(self._digest()).serialize() + b"\x01" for key in chosen]
        self.signatures, self.public = self._bent(signatures, rng), public
        self.claimed = self.message + b"." if bend == "message" else self.message
        self.claimed_script = p2wsh_script(self.script) if bend == "address" else self.script

    def _digest(self) -> bytes:
        if self.kind == "sh":
            return legacy_digest(self.bare, 0, self.inner)
        if self.kind == "pkh":
            return legacy_digest(self.bare, 0, self.script)
        code = self.inner or b"\x76\xa9\x14" + self.key_hash + b"\x88\xac"
        return SegwitV0Hasher(self.bare).digest(0, code, 0)

    def _bent(self, signatures: list[bytes], rng: random.Random) -> list[bytes]:
        first, rest = signatures[0], signatures[1:]
        if self.bend == "type":
            return [first[:-1] + bytes([rng.choice((0, 2, 3, 0x81))]), *rest]
        if self.bend == "high S":
            return [high_s(first[:-1]) + b"\x01", *rest]
        if self.bend == "order":
            return [*rest, first]
        if self.bend == "surplus":
            return [first, first, *rest]
        if self.bend == "bit":
            at = rng.randrange(8, len(first) - 1)
            return [first[:at] + bytes([first[at] ^ 1 << rng.randrange(8)]) + first[at + 1 :], *rest]
        return signatures

    @property
    def text(self) -> str:
        """The signature, in the simple form where the script and the transaction allow it."""
        dummy = b"\x01" if self.bend == "dummy" else b""
        items = (dummy, *self.signatures) if self.inner else (*self.signatures, self.public[0])
        if self.kind == "sh":
            unlock = b"".join(push(item) if item else b"\x00" for item in items) + push(self.inner)
            return self._full(unlock, ())
        if self.kind == "pkh":
            return self._full(b"".join(push(item) for item in items), ())
        witness = (*items, self.inner) if self.inner else items
        if self.kind.startswith("sh-"):
            return self._full(push(self.program), witness)
        if self.bare.version or self.bare.locktime:
            return self._full(b"", witness)
        return "smp" + base64.b64encode(serialize_witness(witness)).decode()

    def _full(self, script_sig: bytes, witness: tuple[bytes, ...]) -> str:
        one = TxInput(self.bare.inputs[0].outpoint, script_sig, self.bare.inputs[0].sequence, witness)
        signed = Transaction(self.bare.version, (one,), self.bare.outputs, self.bare.locktime)
        return "ful" + base64.b64encode(signed.serialize()).decode()


def their_verdict(message: bytes, script: bytes, text: str) -> MessageVerdict:
    """Return btclib's verdict, in our words."""
    address = address_of(script, Network.MAIN)
    try:
        theirs.assert_as_valid(message, address, text)
    except InconclusiveError:
        return MessageVerdict.INCONCLUSIVE
    except (ValueError, RuntimeError):
        return MessageVerdict.INVALID
    return MessageVerdict.VALID


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_two_implementations_give_one_verdict(kind: str, data: Any) -> None:
    bend = data.draw(st.sampled_from(BENDS))
    made = Signed(kind, bend, data.draw(st.integers(0, 2**32)))
    ours = verify_message(made.claimed, made.claimed_script, made.text, outputs={})
    assert ours.verdict is their_verdict(made.claimed, made.claimed_script, made.text), (bend, ours.reason)
    if bend in ("nothing", "lock time"):
        assert ours.is_valid, ours.reason
    elif bend in ("message", "address", "type", "high S", "bit"):
        assert ours.verdict is MessageVerdict.INVALID
    elif bend == "version":
        assert ours.verdict is MessageVerdict.INCONCLUSIVE


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_the_virtual_transactions_are_the_same(message: bytes, seed: bytes) -> None:
    script = b"\x00\x20" + sha256(seed)
    assert theirs.message_hash(message) == message_hash(message)
    assert theirs.to_spend(message, script).id.hex() == to_spend(message, script).txid
    assert to_sign(message, script).inputs[0].outpoint.txid == to_spend(message, script).txid


@given(st.text(max_size=300), st.sampled_from(["", "smp", "ful", "pof"]), st.binary(max_size=120))
def test_junk_is_an_answer_and_never_valid(text: str, prefix: str, raw: bytes) -> None:
    script = p2wsh_script(b"\x51" * 3)
    for signature in (prefix + text, prefix + base64.b64encode(raw).decode()):
        assert not verify_message(b"m", script, signature, outputs={}).is_valid


VAULT = simulated_vault()
FINISHED = {
    kind: finish_message(VAULT, signed_by(VAULT, proof_of(kind, VAULT), 1, 2)) for kind in ("one address", "funds")
}


@given(st.sampled_from(sorted(FINISHED)), st.data())
def test_a_changed_byte_is_noticed(kind: str, data: Any) -> None:
    """Of a proof of funds some bytes say nothing (the message's own field): then the same coins are proven."""
    script, coins = VAULT.deriver.at(0, 3).script_pubkey, outputs_of(VAULT, two_coins(VAULT))
    prefix, raw = FINISHED[kind][:3], base64.b64decode(FINISHED[kind][3:])
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:at] + bytes([raw[at] ^ 1 << data.draw(st.integers(0, 7))]) + raw[at + 1 :]
    result = verify_message(PROOF_MESSAGE, script, prefix + base64.b64encode(changed).decode(), outputs=coins)
    if kind == "one address":
        assert result.verdict is MessageVerdict.INVALID
    elif result.is_valid:
        assert set(result.funds) == set(coins)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_any_quorum_of_any_vault_proves_and_fewer_do_not(data: Any) -> None:
    count = data.draw(st.integers(1, 15), label="keys")
    threshold = data.draw(st.integers(1, count), label="threshold")
    script_type = data.draw(st.sampled_from(tuple(ScriptType)))
    vault = simulated_vault(threshold, count, script_type)
    place = Place(data.draw(st.integers(0, 1)), data.draw(st.integers(0, 2**31 - 1)))
    message = data.draw(st.text(min_size=1, max_size=80).filter(lambda text: message_problem(text.encode()) is None))
    coins = [proof_coin(vault, number % 2, number, salt=number) for number in range(data.draw(st.integers(0, 3)))]
    proof = message_proof(vault, place, message.encode(), coins)
    quorum = data.draw(st.permutations(range(1, count + 1)))[:threshold]
    fewer = signed_by(vault, proof, *quorum[1:])
    with pytest.raises(NotYet):
        finish_message(vault, fewer)
    text = finish_message(vault, signed_by(vault, proof, *quorum))
    script = vault.deriver.at(place.branch, place.index).script_pubkey
    known = outputs_of(vault, coins)
    assert verify_message(message.encode(), script, text, outputs=known).is_valid
    theirs.assert_as_valid(message.encode(), address_of(script, Network.MAIN), text)
    if coins:
        with pytest.raises(NotYet):
            finish_bip127(vault, signed_by(vault, bip127_proof(vault, message.encode(), coins), *quorum[1:]))
        made = finish_bip127(vault, signed_by(vault, bip127_proof(vault, message.encode(), coins), *quorum))
        assert verify_bip127(message.encode(), made, outputs=known).is_valid
