"""Proof of reserves through the real command line: challenge, prove, sign with simulated devices, verify."""

from pathlib import Path

import pytest

from custody.audit.reserves.challenge import parse_challenge
from custody.audit.reserves.statement import parse_statement
from custody.bitcoin.psbt import Psbt
from support.rehearsal import Rehearsal, stranger
from support.reserves_office import Holder, unsigned, verify_elsewhere


@pytest.fixture(params=["wsh", "sh-wsh"])
def holder(request: pytest.FixtureRequest, tmp_path: Path) -> Holder:
    office = Rehearsal(tmp_path / "office", script=request.param)
    office.fund(2)
    return Holder(office, tmp_path / "files")


@pytest.mark.parametrize("route", ["bip322", "pof", "bip127"])
def test_from_challenge_to_a_verified_statement(holder: Holder, route: str) -> None:
    challenge = holder.challenge()
    written = holder.write(challenge, route)
    assert len(written["proofs"]) == (2 if route == "bip322" else 1)
    assert written["total_sats"] == 10_000_000_000
    holder.sign("proofs", 3, 1)
    done = holder.finish(challenge)
    assert done.exit_code == 0, done.stderr
    assert (done.json["result"], done.json["signers"], done.json["journalled"]) == ("valid", ["c1", "c3"], True)

    verdict = holder.verify(holder.statement(), "--challenge", challenge)
    assert verdict.exit_code == 0, verdict.stdout
    found = verdict.json
    assert (found["total_sats"], found["coins"]) == (10_000_000_000, 2)
    assert (found["keys_proved"], found["coins_unspent"]) == ("valid", "valid")
    assert found["statements"][0]["signed_keys"] is None
    assert "RESERVE_TIME_LOCKED" not in {one["code"] for one in found["findings"]}
    assert any("liabilities" in text for text in found["not_proven"])


def test_what_is_unsigned_wrong_or_misplaced_is_named(holder: Holder) -> None:
    challenge = holder.challenge()
    written = holder.write(challenge, "pof")
    waiting = holder.finish(challenge)
    assert waiting.exit_code == 5
    assert [one["file"] for one in waiting.error["details"]["missing"]] == [one["file"] for one in written["proofs"]]

    prove = ["audit", "reserves", "prove", "--challenge", challenge]
    wrong = holder.office.error([*prove, "--signed", challenge, "-o", holder.statement()], exit_code=6)
    assert "`challenge.json` is neither a PSBT nor a signed transaction" in wrong["message"]
    nowhere = holder.folder / "missing" / "proofs"
    lost = holder.office.error([*prove, "-o", nowhere], exit_code=6)
    assert lost["message"] == f"`{nowhere.parent}` does not exist"
    (holder.folder / "empty").mkdir()
    empty = holder.office.run([*prove, "--signed", holder.folder / "empty", "-o", holder.statement()])
    assert empty.exit_code == 5 and empty.stderr.startswith("nothing that is signed lies in ")


def test_proofs_are_the_same_each_time_and_need_no_state(holder: Holder) -> None:
    challenge = holder.challenge()
    holder.write(challenge, name="first")
    holder.write(challenge, name="second")
    first, second = holder.folder / "first", holder.folder / "second"
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    assert len(names) == 5 and all(len(name) <= 24 for name in names)


def test_the_page_shows_the_whole_message_its_hash_and_that_nothing_can_be_spent(holder: Holder) -> None:
    challenge = holder.challenge()
    written = holder.write(challenge)
    tag = written["challenge_digest"][:8]
    page = (holder.folder / "proofs" / f"read-me-{tag}.txt").read_text()
    message = parse_challenge(challenge.read_bytes()).message
    assert (holder.folder / "proofs" / f"message-{tag}.txt").read_bytes() == message
    lines = page.splitlines()
    assert max(map(len, lines)) <= 76
    flat = page.replace("\n  ", "").replace("\n", " ")
    assert all(line.replace(" ", "") in flat.replace(" ", "") for line in message.decode().split("\n"))
    assert written["message_hash"][:32] in page and written["message_hash"][32:] in page
    assert "Nothing that you sign here can move a coin" in flat


def test_what_a_signer_reviews_is_a_proof_with_its_message(holder: Holder) -> None:
    holder.write(holder.challenge())
    for path in sorted((holder.folder / "proofs").glob("*.psbt")):
        review = holder.office.json(["psbt", "review", path, "--vault-file", holder.office.folder / "vault.yaml"])
        assert (review["verdict"], review["purpose"]) == ("clean", "proof")


def test_a_missing_signature_is_named_with_its_address(holder: Holder) -> None:
    challenge = holder.challenge()
    written = holder.write(challenge)
    holder.sign("proofs", 1)
    done = holder.finish(challenge)
    assert (done.exit_code, done.error["error"]) == (5, "SIGNATURES_MISSING")
    missing = done.error["details"]["missing"]
    assert [one["addresses"] for one in missing] == [proof["addresses"] for proof in written["proofs"]]
    assert all((one["signed"], one["missing"], one["unsigned"]) == (["c1"], 1, ["c2", "c3"]) for one in missing)
    assert f"{missing[0]['addresses'][0]}: c1 signed, 1 of c2, c3 awaited" in done.error["message"]
    assert not holder.statement().exists()
    holder.sign("proofs", 2)
    assert holder.finish(challenge).exit_code == 0


def test_a_file_for_another_challenge_is_refused_whole(holder: Holder) -> None:
    old, new = holder.challenge("old"), holder.challenge("new")
    holder.write(old, name="old-proofs")
    holder.sign("old-proofs", 1, 2)
    done = holder.finish(new, "old-proofs")
    assert (done.exit_code, done.error["error"]) == (3, "DIFFERENT_TRANSACTION")


def test_the_journal_records_what_was_handed_out_once(holder: Holder) -> None:
    challenge = holder.challenge()
    statement = parse_statement(holder.prove(challenge).read_bytes())
    holder.statement().unlink()
    assert holder.finish(challenge).exit_code == 0
    entries = holder.office.json(["journal", "show"])["entries"]
    recorded = [one for one in entries if one["kind"] == "reserve_attested"]
    assert [one["body"]["statement"] for one in recorded] == [statement.digest]
    assert recorded[0]["body"]["signers"] == ["c1", "c2"]
    assert holder.office.json(["journal", "verify"])["ok"] is True


def test_the_descriptor_is_shown_only_where_it_was_asked_for(holder: Holder) -> None:
    challenge = holder.challenge()
    bare = parse_statement(holder.prove(challenge).read_bytes())
    assert bare.descriptor is None and "pub" not in holder.statement().read_text()
    holder.statement().unlink()
    assert holder.finish(challenge, "proofs", "--disclose", "descriptor").exit_code == 0
    full = parse_statement(holder.statement().read_bytes())
    assert full.descriptor == holder.office.vault.descriptor_text
    keys = holder.verify(holder.statement(), "--challenge", challenge).json["statements"][0]["signed_keys"]
    assert keys == [one.key.origin.fingerprint.hex() for one in holder.office.vault.cosigners[:2]]


def test_a_vault_file_and_the_chain_are_enough(holder: Holder) -> None:
    challenge = holder.challenge()
    vault = holder.office.folder / "vault.yaml"
    target, statement = holder.folder / "bare", holder.folder / "bare.json"
    prove = ["audit", "reserves", "prove", "--challenge", challenge, "--vault-file", vault]
    holder.office.json([*prove, "-o", target])
    holder.sign("bare", 2, 3)
    done = holder.office.json([*prove, "--signed", target, "-o", statement])
    assert (done["result"], done["journalled"]) == ("valid", False)
    kinds = {one["kind"] for one in holder.office.json(["journal", "show"])["entries"]}
    assert "reserve_attested" not in kinds


def test_no_proof_file_can_be_sent(holder: Holder) -> None:
    for route in ("bip322", "pof", "bip127"):
        challenge = holder.challenge(route)
        holder.write(challenge, route, route)
        for proof in unsigned(holder.folder / route):
            with holder.office.chain() as chain:
                verdict = chain.test_accept(proof.unsigned_transaction().serialize())
            assert not verdict.allowed
            assert isinstance(proof, Psbt)


def test_the_route_by_payment_from_plan_to_verified_statement(holder: Holder) -> None:
    challenge = holder.challenge()
    prove = ["audit", "reserves", "prove", "--challenge", challenge, "--route", "payment"]
    planned = holder.office.json(prove)
    assert holder.office.json(prove) == planned  # the address is reserved once
    assert 10_000 <= planned["amount_sats"] < 10_000 + 2**17
    to, coin = f"{planned['address']}={planned['amount_sats']}sat", planned["coin"]
    drafted = holder.office.draft("--to", to, "--coin", coin, "--reason", "proof")
    sent = holder.office.send(drafted, 1, 3)
    statement = holder.folder / "paid.json"
    finish = [*prove, "--txid", sent["txid"], "--disclose", "descriptor", "-o", statement]
    assert holder.office.error(finish, exit_code=5)["error"] == "TRANSACTION_UNKNOWN"

    holder.office.mine(1)
    holder.office.json(["coins", "sync"])
    done = holder.office.json(finish)
    assert (done["result"], done["signers"], done["total_sats"]) == ("valid", ["c1", "c3"], 10_000_000_000)
    found = holder.verify(statement, "--challenge", challenge).json
    assert (found["result"], found["keys_proved"]) == ("valid", "valid")
    assert any(text.startswith("every coin") for text in found["not_proven"])
    assert "RESERVE_MOVED_SINCE" in {one["code"] for one in found["findings"]}


def test_a_snapshot_with_headers_verifies_offline_and_says_whose_word_it_is(holder: Holder) -> None:
    challenge = holder.challenge()
    statement = holder.prove(challenge)
    bare, with_headers = holder.folder / "bare.json", holder.folder / "headers.json"
    holder.office.json(["coins", "sync", "--to", bare])
    holder.office.json(["coins", "sync", "--to", with_headers, "--evidence", "--headers"])
    done = verify_elsewhere(statement, "--challenge", challenge, "--snapshot", with_headers)
    assert done.exit_code == 9, done.stderr
    assert (done.json["result"], done.json["total_sats"]) == ("inconclusive", 10_000_000_000)
    assert (done.json["keys_proved"], done.json["coins_unspent"]) == ("valid", "inconclusive")
    assert "UTXO_UNVERIFIED" in {one["code"] for one in done.json["findings"]}
    assert "word of whoever wrote it" in done.json["source"]
    unknown = verify_elsewhere(statement, "--challenge", challenge, "--snapshot", bare)
    assert unknown.exit_code == 9  # it doesn't know the challenge's block


@pytest.mark.parametrize("coins", ["unspent", "spent"])
def test_a_bip127_proof_from_a_file_is_judged_at_the_newest_block(holder: Holder, coins: str) -> None:
    challenge = holder.challenge()
    statement = parse_statement(holder.prove(challenge, route="bip127").read_bytes())
    proof, message = holder.folder / "proof.txn", holder.folder / "message.txt"
    proof.write_text(statement.proofs[0].text + "\n")
    message.write_bytes(statement.challenge.message)
    if coins == "spent":
        spent = str(statement.coins[0].outpoint)
        holder.office.send(holder.office.draft("--to", f"{stranger(7)}=1btc", "--coin", spent), 1, 2)
        holder.office.mine(1)
    judge = ["audit", "reserves", "verify", "--bip127", proof, "--network", "regtest"]
    answer = holder.office.json([*judge, "--message", message], exit_code=0 if coins == "unspent" else 3)
    assert (answer["result"], answer["total_sats"]) == (
        ("valid", 10_000_000_000) if coins == "unspent" else ("invalid", 0)
    )
    assert answer["missing"] == ([] if coins == "unspent" else [str(statement.coins[0].outpoint)])
    message.write_bytes(statement.challenge.message + b"\n")
    assert holder.office.json([*judge, "--message", message], exit_code=3)["result"] == "invalid"


def test_a_folder_with_strangers_files_and_a_secret(holder: Holder) -> None:
    challenge = holder.challenge()
    holder.write(challenge)
    holder.sign("proofs", 1, 2)
    (holder.folder / "proofs" / "holiday.jpg").write_bytes(b"\xff\xd8\xff junk")
    (holder.folder / "proofs" / "notes.txt").write_text("not a proof\n")
    assert holder.finish(challenge).exit_code == 0


def test_nothing_of_another_s_is_overwritten(holder: Holder) -> None:
    challenge = holder.challenge()
    target = holder.folder / "proofs"
    target.mkdir()
    tag = parse_challenge(challenge.read_bytes()).digest[:8]
    (target / f"proof-001-{tag}.psbt").write_bytes(b"somebody's")
    command = ["audit", "reserves", "prove", "--challenge", challenge, "-o", target]
    assert holder.office.error(command, exit_code=7)["error"] == "FILE_EXISTS"
    assert [path.name for path in target.iterdir()] == [f"proof-001-{tag}.psbt"]


def test_an_empty_vault_has_nothing_to_prove(tmp_path: Path) -> None:
    office = Rehearsal(tmp_path / "office")
    office.fund(1)
    empty = Rehearsal(tmp_path / "empty", keys=4)
    holder = Holder(office, tmp_path / "files")
    vault = empty.folder / "vault.yaml"
    command = ["audit", "reserves", "prove", "--challenge", holder.challenge(), "--vault-file", vault]
    assert office.error([*command, "-o", tmp_path / "none"], exit_code=3)["error"] == "RESERVE_EMPTY"


@pytest.mark.parametrize(
    "wrong",
    [
        ["verify"],
        ["verify", "x.json", "--bip127", "y", "--message", "z"],
        ["verify", "--bip127", "y", "--message", "z"],
        ["prove", "--challenge", "c.json"],
        ["prove", "--challenge", "c.json", "--txid", "ab"],
        ["prove", "--challenge", "c.json", "--route", "payment", "--signed", "x"],
    ],
)
def test_a_wrong_command_line_is_exit_2(tmp_path: Path, wrong: list[str]) -> None:
    office = Rehearsal(tmp_path / "office")
    office.fund(1)
    challenge = Holder(office, tmp_path / "files").challenge()
    command = ["audit", "reserves", *(str(challenge) if one == "c.json" else one for one in wrong)]
    (tmp_path / "y").write_text("00")
    result = office.run(command)
    assert result.exit_code == 2, result.stderr


def test_the_screen_puts_what_refuses_first_and_never_leaves_out_what_is_not_proven(holder: Holder) -> None:
    challenge = holder.challenge()
    statement = holder.prove(challenge)
    good = holder.office.run(["audit", "reserves", "verify", statement, "--challenge", challenge]).stdout.splitlines()
    assert good[0] == "VALID"
    assert any(line.startswith("keys proved     yes: 2 of 2") for line in good)
    assert any(line.startswith("coins unspent   yes") for line in good)
    twice = holder.office.run(["audit", "reserves", "verify", statement, statement]).stdout.splitlines()
    assert twice[0].startswith("NOT VALID")
    assert twice[1].startswith("REFUSE OUTPOINT_COUNTED_TWICE")
    for shown in (good, twice):
        assert shown[-6] == "NOT PROVEN, whatever stands above:"
        assert all(line.startswith("  - ") for line in shown[-5:])


def test_a_snapshot_that_the_workspace_names_is_its_writer_s_word_too(holder: Holder) -> None:
    challenge = holder.challenge()
    statement = holder.prove(challenge)
    snapshot = holder.folder / "headers.json"
    holder.office.json(["coins", "sync", "--to", snapshot, "--evidence", "--headers"])
    settings = holder.office.folder / "custody.yaml"
    settings.write_text(f"format: custody-settings/1\nchain:\n  backend: snapshot\n  snapshot: {snapshot}\n")
    done = holder.verify(statement, "--challenge", challenge)
    assert (done.exit_code, done.json["result"], done.json["coins_unspent"]) == (9, "inconclusive", "inconclusive")
    page = holder.folder / "page"
    published = holder.office.run(["audit", "publish", "--statement", statement, "-o", page])
    assert (published.exit_code, page.exists()) == (9, False)
