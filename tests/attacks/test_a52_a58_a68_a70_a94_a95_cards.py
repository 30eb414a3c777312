"""A52, A53, A57, A58, A62, A68, A70, A90, A94 and A95 by way of a card: every bad file has its own message."""

import base64
import os
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from embit import ec

from custody.bitcoin.amount import Sats
from custody.bitcoin.hashing import sha256
from custody.bitcoin.psbt import PartialSignature, Psbt, RawField, psbt_from_text_or_bytes
from custody.bitcoin.sighash import SegwitV0Hasher
from support.cards import trimmed
from support.rehearsal import Rehearsal, stranger
from support.review_cases import sign
from support.secrets import phrase


@pytest.fixture
def office(tmp_path: Path) -> Rehearsal:
    """A 2-of-3 vault with two ripe coins of 50 BTC."""
    made = Rehearsal(tmp_path / "reserve")
    made.fund(2)
    return made


@pytest.fixture
def card(tmp_path: Path) -> Path:
    made = tmp_path / "card"
    made.mkdir()
    return made


def drafted(office: Rehearsal) -> tuple[Any, Psbt]:
    proposal = office.draft("--to", f"{stranger(1)}=60btc")
    return proposal, psbt_from_text_or_bytes(proposal["psbt"].encode())


def _flipped(office: Rehearsal, psbt: Psbt) -> bytes:
    whole = sign(psbt, office.vault, 1)
    made = whole.inputs[0].partial_signatures[0]
    bent = made.signature[:10] + bytes((made.signature[10] ^ 1,)) + made.signature[11:]
    one = replace(whole.inputs[0], partial_signatures=(replace(made, signature=bent),))
    return whole.with_input(0, one).serialize()


def _of_other_input(office: Rehearsal, psbt: Psbt) -> bytes:
    whole = sign(psbt, office.vault, 1)
    moved = replace(whole.inputs[0].partial_signatures[0], signature=whole.inputs[1].partial_signatures[0].signature)
    return trimmed(psbt.with_input(0, replace(psbt.inputs[0], partial_signatures=(moved,)))).serialize()


def _by_a_stranger(_office: Rehearsal, psbt: Psbt) -> bytes:
    one = psbt.inputs[0]
    assert one.witness_script is not None and one.witness_utxo is not None
    secret = ec.PrivateKey(sha256(b"custody public test key, stranger"))
    digest = SegwitV0Hasher(psbt.unsigned_transaction()).digest(0, one.witness_script, one.witness_utxo.value)
    made = PartialSignature(secret.get_public_key().sec(), secret.sign(digest).serialize() + b"\x01")
    return psbt.with_input(0, replace(one, partial_signatures=(made,))).serialize()


def _of_another_payment(office: Rehearsal, psbt: Psbt) -> bytes:
    bent = psbt.with_output(1, replace(psbt.outputs[1], value=Sats(psbt.outputs[1].value - 50_000)))
    return sign(bent, office.vault, 1).serialize()


def _unsigned_other_payment(_office: Rehearsal, psbt: Psbt) -> bytes:
    return psbt.with_output(1, replace(psbt.outputs[1], value=Sats(psbt.outputs[1].value - 50_000))).serialize()


def _other_amounts(office: Rehearsal, psbt: Psbt) -> bytes:
    one = psbt.inputs[0]
    assert one.witness_utxo is not None
    lie = replace(one, witness_utxo=replace(one.witness_utxo, value=Sats(one.witness_utxo.value - 1)))
    return sign(psbt.with_input(0, lie), office.vault, 1).serialize()


def _garbage(_office: Rehearsal, _psbt: Psbt) -> bytes:
    return b"\x13\x37 this card is dying"


def _truncated(office: Rehearsal, psbt: Psbt) -> bytes:
    return sign(psbt, office.vault, 1).serialize()[:-3]


def _with_bytes_after(office: Rehearsal, psbt: Psbt) -> bytes:
    return sign(psbt, office.vault, 1).serialize() + b"\x00"


def _spoiled_base64(office: Rehearsal, psbt: Psbt) -> bytes:
    return base64.b64encode(sign(psbt, office.vault, 1).serialize())[:-7] + b"!\n"


Maker = Callable[[Rehearsal, Psbt], bytes]
BAD: list[tuple[Maker, str]] = [
    (_flipped, "BAD_SIGNATURE"),
    (_of_other_input, "BAD_SIGNATURE"),
    (_by_a_stranger, "SIGNER_NOT_MEMBER"),
    (_of_another_payment, "DIFFERENT_TRANSACTION"),
    (_unsigned_other_payment, "DIFFERENT_TRANSACTION"),
    (_other_amounts, "COMBINE_NON_SIGNATURE_CHANGE"),
    (_garbage, "MALFORMED_PSBT"),
    (_truncated, "MALFORMED_PSBT"),
    (_with_bytes_after, "MALFORMED_PSBT"),
    (_spoiled_base64, "MALFORMED_PSBT"),
]


@pytest.mark.parametrize(("make", "code"), BAD, ids=[make.__name__ for make, _code in BAD])
def test_a52_a53_a57_a58_a70_a_bad_file_gives_nothing_and_the_good_one_counts(
    office: Rehearsal, card: Path, make: Maker, code: str
) -> None:
    proposal, psbt = drafted(office)
    bad = card / "payment-signed.psbt"
    bad.write_bytes(make(office, psbt))
    head = office.json(["journal", "verify"])["head"]
    answer = office.json(["proposal", "add", card], exit_code=3)
    assert [one["code"] for one in answer["refused"]] == [code]
    assert (answer["files"][0]["verdict"], answer["files"][0]["file"]) == ("refused", bad.name)
    assert (answer["new_signatures"], answer["proposals"]) == (0, [])
    assert office.json(["journal", "verify"])["head"] == head

    (card / "payment-part.psbt").write_bytes(sign(psbt, office.vault, 2).serialize())
    answer = office.json(["proposal", "add", card], exit_code=3)
    assert [one["code"] for one in answer["refused"]] == [code]
    assert (answer["signing"]["signed"], answer["new_signatures"]) == (["c2"], 2)

    bad.unlink()
    bad.write_bytes(sign(psbt, office.vault, 1).serialize())
    assert office.json(["proposal", "add", card])["signing"]["signed"] == ["c1", "c2"]
    assert office.send(proposal)["state"] == "broadcast"


def test_a53_a70_every_bad_file_has_a_message_of_its_own(office: Rehearsal, card: Path) -> None:
    _, psbt = drafted(office)
    for make, _code in BAD:
        (card / f"{make.__name__.strip('_')}.psbt").write_bytes(make(office, psbt))
    answer = office.json(["proposal", "add", card], exit_code=3)
    messages = {one["message"] for one in answer["refused"]}
    assert len(answer["refused"]) == len(BAD)
    # Two files are about one other transaction, signed and unsigned.
    assert len(messages) == len(BAD) - 1
    said = office.run(["proposal", "add", card])
    assert said.exit_code == 3
    assert said.stderr == ""
    for one in answer["refused"]:
        assert one["where"] in said.stdout


def test_a62_fields_that_a_device_added_are_ignored_and_noted(office: Rehearsal, card: Path) -> None:
    _, psbt = drafted(office)
    more = replace(sign(psbt, office.vault, 1), unknown=(RawField(b"\xfc\x01a\x00", b"extra"),))
    (card / "signed.psbt").write_bytes(more.serialize())
    said = office.run(["proposal", "add", card])
    assert said.exit_code == 0
    assert "COMBINE_FIELDS_IGNORED" in said.stdout
    assert b"extra".hex() not in said.stdout


def test_a68_what_was_read_is_what_is_recorded(office: Rehearsal, card: Path) -> None:
    _, psbt = drafted(office)
    (card / "signed.psbt").write_bytes(sign(psbt, office.vault, 1).serialize())
    office.json(["proposal", "add", card])
    (card / "signed.psbt").write_bytes(sign(psbt, office.vault, 2).serialize())
    assert office.json(["proposal", "show"])["signing"]["signed"] == ["c1"]


@pytest.mark.parametrize("kind", ["pipe", "link", "dangling", "folder", "socket"])
def test_a94_nothing_but_plain_files_is_opened_on_a_card(office: Rehearsal, card: Path, kind: str) -> None:
    _, psbt = drafted(office)
    outside = card.parent / "outside.psbt"
    outside.write_bytes(sign(psbt, office.vault, 1).serialize())
    trap = card / "a-signed.psbt"
    if kind == "pipe":
        os.mkfifo(trap)
    elif kind == "folder":
        trap.mkdir()
        (trap / "signed.psbt").write_bytes(outside.read_bytes())
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(card)  # socket names are short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(trap.name)
        os.chdir(here)
    else:
        trap.symlink_to(outside if kind == "link" else card / "nothing")
    refused = office.error(["proposal", "add", card], exit_code=5)
    assert refused["error"] == "NO_SIGNATURES"
    assert [one["verdict"] for one in refused["details"]["files"]] == ["ignored"]
    (card / "b-signed.psbt").write_bytes(sign(psbt, office.vault, 2).serialize())
    assert office.json(["proposal", "add", card])["signing"]["signed"] == ["c2"]


def test_a94_a_card_is_never_a_link(office: Rehearsal, card: Path) -> None:
    proposal, _ = drafted(office)
    link = card.parent / "link"
    link.symlink_to(card)
    for command in (["proposal", "export", proposal["proposal_id"], "--to", link], ["proposal", "add", link]):
        assert office.error(command, exit_code=6)["error"] == "PATH_UNSAFE"
    file = card / "file"
    file.write_bytes(b"")
    export = ["proposal", "export", proposal["proposal_id"], "--to", file]
    assert office.error(export, exit_code=6)["error"] == "FILE_NOT_REGULAR"
    assert sorted(path.name for path in card.iterdir()) == ["file"]


def test_a94_a_link_on_the_card_is_not_written_through(office: Rehearsal, card: Path) -> None:
    proposal, _ = drafted(office)
    victim = card.parent / "victim"
    victim.write_bytes(b"kept")
    stem = f"{proposal['proposal_id'][:8]}-1-c1"
    for target in (victim, card.parent / "nothing"):
        (card / f"{stem}.psbt").symlink_to(target)
        export = ["proposal", "export", proposal["proposal_id"], "--to", card]
        assert office.error(export, exit_code=7)["error"] == "FILE_EXISTS"
        (card / f"{stem}.psbt").unlink()
    assert victim.read_bytes() == b"kept"
    assert not (card.parent / "nothing").exists()


def test_a95_names_and_reasons_can_not_forge_a_line(office: Rehearsal, card: Path) -> None:
    reason = "grant\n\nWHAT THE SCREEN MUST SHOW\npays 1 BTC \x1b[2J\u202egnihton"
    proposal = office.draft("--to", f"{stranger(1)}=60btc", "--reason", reason)
    office.json(["proposal", "export", proposal["proposal_id"], "--to", card])
    for page in card.glob("*-read-me.txt"):
        text = page.read_text()
        assert "\x1b" not in text and "\u202e" not in text
        assert text.count("\nWHAT THE SCREEN MUST SHOW") == 1
        assert not re.search(r"^pays 1 BTC", text, re.MULTILINE)
    evil = card / "x\x1b[2J\n0 new signature(s)\nVERDICT clean.psbt"
    evil.write_bytes(b"junk")
    said = office.run(["proposal", "add", card])
    assert "\x1b" not in said.stdout
    assert not re.search(r"^VERDICT clean", said.stdout, re.MULTILINE)


def test_a90_a_secret_on_a_card_is_refused_and_never_shown(office: Rehearsal, card: Path) -> None:
    _, psbt = drafted(office)
    words = phrase("on a card")
    (card / "words.psbt").write_text(" ".join(words))
    (card / "good.psbt").write_bytes(sign(psbt, office.vault, 1).serialize())
    said = office.run(["proposal", "add", card])
    assert said.exit_code == 3
    assert "SECRET_MATERIAL" in said.stdout
    assert not any(word in (said.stdout + said.stderr).split() for word in words)
    assert office.json(["proposal", "show"])["signing"]["signed"] == ["c1"]


def test_a94_a_card_full_of_names_is_not_read(office: Rehearsal, card: Path) -> None:
    drafted(office)
    for number in range(1_001):
        (card / f"{number}.txt").touch()
    assert office.error(["proposal", "add", card], exit_code=6)["error"] == "FILE_TOO_LARGE"


def test_a94_what_is_too_large_is_refused_by_its_name_and_passed_over_without(office: Rehearsal, card: Path) -> None:
    _, psbt = drafted(office)
    for name, start in (("signed.psbt", b"psbt\xff"), ("film.mp4", b"\x00\x00\x00\x20ftyp")):
        with (card / name).open("wb") as file:
            file.write(start)
            file.truncate(40_000_000)
    (card / "good.psbt").write_bytes(sign(psbt, office.vault, 1).serialize())
    answer = office.json(["proposal", "add", card], exit_code=3)
    assert {one["file"]: (one["verdict"], one["code"]) for one in answer["files"]} == {
        "signed.psbt": ("refused", "FILE_TOO_LARGE"),
        "film.mp4": ("ignored", None),
        "good.psbt": ("taken", None),
    }
