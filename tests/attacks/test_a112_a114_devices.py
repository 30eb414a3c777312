"""A112 (firmware that gives the key away) and A114 (a screen that hides where change goes), by the command line."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from embit import ec

from custody.bitcoin.keys import HARDENED
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import PartialSignature, Psbt, psbt_from_text_or_bytes
from custody_hardware.simulator import private_account_key
from support.psbt_builder import ORDER, bip143_digest, der_signature
from support.rehearsal import Rehearsal, stranger

ACCOUNT = tuple(HARDENED + step for step in (48, 1, 0, 2))


@pytest.fixture
def office(tmp_path: Path) -> Rehearsal:
    """A 2-of-3 with two ripe coins."""
    made = Rehearsal(tmp_path / "reserve")
    made.fund(2)
    return made


def codes(answer: Any) -> list[str]:
    return [one["code"] for one in answer["findings"]]


def describe(office: Rehearsal, name: str, model: str, firmware: str) -> Any:
    return office.json(["cosigner", "describe", name, "--device", model, "--firmware", firmware])


def both_coins(office: Rehearsal) -> Any:
    """Draft a payment of both coins."""
    return office.json(["proposal", "draft", "--fee-rate", "5", "--to", f"{stranger(1)}=all"])


def signed_with_nonces(drafted: Any, number: int, *nonces: int) -> Psbt:
    """Sign as a malicious simulator `number`, with a nonce of the attacker's choice on each input."""
    psbt = psbt_from_text_or_bytes(drafted["psbt"].encode())
    unsigned = psbt.unsigned_transaction()
    inputs = []
    for index, (one, nonce) in enumerate(zip(psbt.inputs, nonces, strict=True)):
        assert one.witness_script is not None and one.witness_utxo is not None
        place = one.derivations[0].origin.path[-2:]
        key = private_account_key(number, Network.REGTEST, (*ACCOUNT, *place))
        digest = bip143_digest(unsigned, index, one.witness_script, one.witness_utxo.value, 1)
        secret, message = int.from_bytes(key, "big"), int.from_bytes(digest, "big")
        r = int.from_bytes(ec.PrivateKey(nonce.to_bytes(32, "big")).get_public_key().sec()[1:], "big") % ORDER
        s = pow(nonce, -1, ORDER) * (message + r * secret) % ORDER
        public = bytes(ec.PrivateKey(key).get_public_key().sec())
        signature = der_signature(r, min(s, ORDER - s)) + b"\x01"
        inputs.append(replace(one, partial_signatures=(PartialSignature(public, signature),)))
    return replace(psbt, inputs=tuple(inputs))


def added(office: Rehearsal, psbt: Psbt) -> Any:
    path = office.folder / "inbox" / f"{hashlib.sha256(psbt.serialize()).hexdigest()[:8]}.psbt"
    path.write_bytes(psbt.serialize())
    return office.run(["proposal", "add", path])


def test_a112_a_quorum_on_devices_of_one_maker_is_named(office: Rehearsal) -> None:
    assert codes(describe(office, "c1", "coldcard-mk4", "5.6.1")) == ["SEED_FIRMWARE_UNKNOWN"]
    said = describe(office, "c2", "coldcard-q", "1.5.1Q")
    assert "QUORUM_IN_ONE_HAND" in codes(said)
    (hand,) = [one["message"] for one in said["findings"] if one["code"] == "QUORUM_IN_ONE_HAND"]
    assert hand == "Coinkite made the devices of c1, c2: 2 of 3 keys, enough to spend"
    assert "QUORUM_IN_ONE_HAND" in codes(office.json(["vault", "verify"]))
    assert "QUORUM_IN_ONE_HAND" not in codes(describe(office, "c2", "jade", "1.0.40"))


def test_a112_one_nonce_under_two_signatures_is_an_alarm(office: Rehearsal) -> None:
    nonce = int.from_bytes(hashlib.sha256(b"a nonce that should never be used twice").digest(), "big")
    drafted = both_coins(office)
    result = added(office, signed_with_nonces(drafted, 1, nonce, nonce))
    assert result.exit_code == 0  # each signature is valid: that is what makes it dangerous
    assert "NONCE_REPEATED@cosigner:c1" in result.stdout
    verified = office.json(["vault", "verify"], exit_code=3)
    assert codes(verified) == ["NONCE_REPEATED"]
    assert "c1 signed twice with one nonce" in verified["findings"][0]["message"]
    assert "move the coins" in verified["findings"][0]["advice"]


def test_a112_a_nonce_that_no_honest_device_picks_is_named(office: Rehearsal) -> None:
    half = (ORDER + 1) // 2  # the nonce with the smallest r that is known
    other = int.from_bytes(hashlib.sha256(b"an honest one").digest(), "big")
    assert (
        "NONCE_SUSPICIOUS@cosigner:c1" in added(office, signed_with_nonces(both_coins(office), 1, half, other)).stdout
    )
    assert codes(office.json(["vault", "verify"])) == ["NONCE_SUSPICIOUS"]


def test_a112_honest_devices_raise_no_alarm(office: Rehearsal) -> None:
    drafted = both_coins(office)
    office.sign(drafted, 1, 2)
    assert [one["name"] for one in office.json(["vault", "verify"])["checks"]] == ["keys", "engines", "adopted"]


def test_a114_a_quorum_whose_screens_verify_no_change_is_named(office: Rehearsal) -> None:
    assert codes(describe(office, "c1", "seedsigner", "0.8.0")) == []
    said = describe(office, "c2", "seedsigner", "0.8.0")
    assert "CHANGE_UNVERIFIED_BY_DEVICES" in codes(said)
    assert "CHANGE_UNVERIFIED_BY_DEVICES" in codes(office.json(["vault", "verify"]))
    assert "CHANGE_UNVERIFIED_BY_DEVICES" not in codes(describe(office, "c2", "passport", "2.3.5"))


def test_a114_the_signers_page_says_what_the_screen_shows(office: Rehearsal) -> None:
    describe(office, "c1", "jade", "1.0.40")
    drafted = office.draft("--to", f"{stranger(1)}=10btc")
    card = office.folder / "card"
    card.mkdir()
    office.json(["proposal", "export", drafted["proposal_id"], "--to", card, "--cosigner", "c1"])
    (page,) = card.glob("*-read-me.txt")
    text = " ".join(page.read_text(encoding="utf-8").split())
    assert "for each output that is not recognised as change: address and amount" in text
    assert "without a matching record it is shown as a payment" in text
