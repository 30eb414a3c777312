"""A80 to A85 at the command line: a holder's node, and an auditor's node on another data directory."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custody.audit.reserves.challenge import parse_challenge
from custody.audit.reserves.statement import NOT_PROVEN, Statement, parse_statement
from custody.bitcoin.amount import Sats
from support.node import find_bitcoind
from support.node_office import NodeOffice
from support.rehearsal import stranger
from support.reserves_office import Holder
from support.reserves_scene import ReservesScene, reserves_scene

pytestmark = pytest.mark.node

TOTAL = 3_000_000_000


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, node: object) -> Iterator[ReservesScene]:
    assert node is not None  # which says why there is none
    program = find_bitcoind()
    assert program is not None
    with reserves_scene(program, tmp_path_factory.mktemp("reserves")) as made:
        yield made


def codes(found: Any, severity: str = "refuse") -> set[str]:
    return {one["code"] for one in found["findings"] if one["severity"] == severity}


def changed(scene: ReservesScene, name: str, statement: Statement) -> Path:
    file = scene.folder / f"{name}.json"
    file.write_bytes(statement.to_bytes())
    return file


def test_an_honest_statement_is_valid_on_the_auditor_s_own_node(scene: ReservesScene) -> None:
    challenge = scene.ask("honest")
    statement = scene.holder.prove(challenge, name="honest")
    done = scene.verify(statement, "--challenge", challenge)
    assert done.exit_code == 0, done.stdout
    found = done.json
    assert (found["result"], found["total_sats"], found["coins"]) == ("valid", TOTAL, 3)
    assert (found["keys_proved"], found["coins_unspent"]) == ("valid", "valid")
    assert found["source"].startswith("the node at http://127.0.0.1:")
    assert codes(found) == set()


@pytest.mark.parametrize("route", ["pof", "bip127"])
def test_one_proof_over_all_coins_is_valid_there_too(scene: ReservesScene, route: str) -> None:
    challenge = scene.ask(f"honest-{route}")
    statement = scene.holder.prove(challenge, "--disclose", "descriptor", route=route, name=f"honest-{route}")
    done = scene.verify(statement, "--challenge", challenge)
    assert (done.exit_code, done.json["result"], done.json["total_sats"]) == (0, "valid", TOTAL)
    assert len(done.json["statements"][0]["signed_keys"]) == 2
    lying = replace(parse_statement(statement.read_bytes()), total=Sats(TOTAL * 2))
    caught = scene.verify(changed(scene, f"lying-{route}", lying), "--challenge", challenge)
    assert (caught.exit_code, codes(caught.json), caught.json["total_sats"]) == (3, {"RESERVE_TOTAL_DIFFERS"}, TOTAL)


def test_a80_one_vault_in_two_reports_is_counted_once(scene: ReservesScene, tmp_path: Path) -> None:
    """The second report is another holder's, of the same vault with its keys in another order."""
    ours, theirs = scene.ask("a80-ours"), scene.ask("a80-theirs", holder="Treasury")
    first = scene.holder.prove(ours, name="a80-ours")
    reordered = NodeOffice(tmp_path / "reordered", scene.office.node, (8, 2, 5), threshold=2)
    assert reordered.vault.vault_id == scene.office.vault.vault_id
    reordered.json(["coins", "sync"])
    second = Holder(reordered, tmp_path / "files", devices=(8, 5)).prove(theirs, "--disclose", "descriptor")
    for statement, challenge in ((first, ours), (second, theirs)):
        assert scene.verify(statement, "--challenge", challenge).exit_code == 0
    done = scene.verify(first, second, "--challenge", ours, "--challenge", theirs)
    assert (done.exit_code, codes(done.json)) == (3, {"OUTPOINT_COUNTED_TWICE"})
    assert done.json["total_sats"] == TOTAL
    assert len([one for one in done.json["findings"] if one["code"] == "OUTPOINT_COUNTED_TWICE"]) == 6


def test_a80_the_same_statement_twice_and_a_coin_listed_twice_are_refused(scene: ReservesScene) -> None:
    challenge = scene.ask("a80-twice")
    statement = scene.holder.prove(challenge, name="a80-twice")
    done = scene.verify(statement, statement, "--challenge", challenge)
    assert (done.exit_code, codes(done.json)) == (3, {"OUTPOINT_COUNTED_TWICE"})
    honest = parse_statement(statement.read_bytes())
    padded = replace(honest, coins=(*honest.coins, honest.coins[0]), total=Sats(TOTAL + honest.coins[0].value))
    done = scene.verify(changed(scene, "padded", padded), "--challenge", challenge)
    assert done.exit_code == 3
    assert codes(done.json) == {"OUTPOINT_COUNTED_TWICE", "RESERVE_TOTAL_DIFFERS"}
    assert done.json["total_sats"] == TOTAL


def test_a80_two_different_vaults_add_up(scene: ReservesScene, tmp_path: Path) -> None:
    other = NodeOffice(tmp_path / "other", scene.office.node, (1, 4, 7), threshold=2)
    other.fund(1)
    scene.office.json(["coins", "sync"])
    scene.follow()
    ours, theirs = scene.ask("sum-ours"), scene.ask("sum-theirs", holder="Treasury")
    first = scene.holder.prove(ours, name="sum-ours")
    second = Holder(other, tmp_path / "files", devices=(4, 7)).prove(theirs)
    done = scene.verify(first, second, "--challenge", ours, "--challenge", theirs)
    assert (done.exit_code, done.json["total_sats"]) == (0, TOTAL + 1_000_000_000)


def test_a81_an_old_statement_does_not_answer_a_new_challenge(scene: ReservesScene) -> None:
    old = scene.ask("a81-old")
    statement = scene.holder.prove(old, name="a81-old")
    new = scene.ask("a81-new")
    done = scene.verify(statement, "--challenge", new)
    assert (done.exit_code, done.json["result"], codes(done.json)) == (3, "invalid", {"CHALLENGE_MISMATCH"})
    relabelled = replace(parse_statement(statement.read_bytes()), challenge=parse_challenge(new.read_bytes()))
    done = scene.verify(changed(scene, "relabelled", relabelled), "--challenge", new)
    assert (done.exit_code, done.json["total_sats"]) == (3, 0)
    assert codes(done.json) == {"RESERVE_PROOF_INVALID", "RESERVE_PROOF_MISSING"}


def test_a81_another_auditor_s_proof_is_not_ours(scene: ReservesScene) -> None:
    theirs = scene.ask("a81-theirs", purpose="the other auditor")
    statement = scene.holder.prove(theirs, name="a81-theirs")
    ours = scene.ask("a81-ours", purpose="our audit")
    done = scene.verify(statement, "--challenge", ours)
    assert (done.exit_code, codes(done.json)) == (3, {"CHALLENGE_MISMATCH"})
    alone = scene.verify(statement)
    assert (alone.exit_code, codes(alone.json, "warn") & {"CHALLENGE_NOT_GIVEN"}) == (0, {"CHALLENGE_NOT_GIVEN"})


def test_a83_a_stale_height_is_refused_by_holder_and_auditor(scene: ReservesScene) -> None:
    challenge = scene.ask("a83-stale", "--expires-after", 1_000)
    statement = scene.holder.prove(challenge, name="a83-stale")
    scene.office.mine(150)
    scene.follow()
    done = scene.verify(statement, "--challenge", challenge)
    assert (done.exit_code, codes(done.json)) == (3, {"HEIGHT_STALE"})
    allowed = scene.verify(statement, "--challenge", challenge, "--max-age", 200)
    assert (allowed.exit_code, allowed.json["result"]) == (0, "valid")
    prove = ["audit", "reserves", "prove", "--challenge", challenge, "-o", scene.folder / "late"]
    assert scene.office.error(prove, exit_code=3)["error"] == "HEIGHT_STALE"
    assert not (scene.folder / "late").exists()


def test_a83_an_orphaned_block_is_refused_by_whoever_has_another_chain(scene: ReservesScene) -> None:
    challenge = scene.ask("a83-orphan")
    statement = scene.holder.prove(challenge, name="a83-orphan")
    block = parse_challenge(challenge.read_bytes()).block_hash
    assert scene.verify(statement, "--challenge", challenge).exit_code == 0
    try:
        scene.auditor.rpc("invalidateblock", block)
        for _ in range(8):
            scene.auditor.rpc("generateblock", f"addr({stranger(90)})", [])
        done = scene.verify(statement, "--challenge", challenge)
        assert (done.exit_code, done.json["result"]) == (3, "invalid")
        assert "BLOCK_ORPHANED" in codes(done.json)
        assert (done.json["total_sats"], done.json["coins_unspent"]) == (0, "invalid")
    finally:
        fork = parse_challenge(challenge.read_bytes()).height
        scene.auditor.rpc("invalidateblock", scene.auditor.rpc("getblockhash", fork))
        scene.auditor.rpc("reconsiderblock", block)
    assert scene.verify(statement, "--challenge", challenge).exit_code == 0


def test_a83_a_holder_on_another_chain_signs_nothing(scene: ReservesScene) -> None:
    challenge = scene.ask("a83-holder")
    foreign = replace(parse_challenge(challenge.read_bytes()), block_hash="00" * 31 + "01")
    file = scene.folder / "foreign.json"
    file.write_bytes(foreign.to_bytes())
    prove = ["audit", "reserves", "prove", "--challenge", file, "-o", scene.folder / "foreign"]
    assert scene.office.error(prove, exit_code=3)["error"] == "BLOCK_ORPHANED"


def test_a83_a_block_that_can_still_be_reorganized_is_no_challenge(scene: ReservesScene) -> None:
    tip = scene.auditor.rpc("getblockcount")
    asked = ["audit", "reserves", "challenge", "--network", "regtest", "--holder", "x", "--purpose", "y"]
    command = [*asked, "--height", str(tip), *scene.own_node(), "-o", scene.folder / "shallow.json"]
    assert scene.office.error(command, exit_code=3)["error"] == "BLOCK_TOO_SHALLOW"


def test_a84_a_key_that_a_proof_brings_along_proves_nothing(scene: ReservesScene, tmp_path: Path) -> None:
    """Another vault signs the very message; its proofs are put under our addresses."""
    thief = NodeOffice(tmp_path / "thief", scene.office.node, (3, 6, 9), threshold=2)
    thief.fund(3)
    scene.follow()
    challenge = scene.ask("a84")
    honest = parse_statement(scene.holder.prove(challenge, name="a84").read_bytes())
    theirs = parse_statement(Holder(thief, tmp_path / "files", devices=(3, 6)).prove(challenge).read_bytes())
    assert theirs.challenge == honest.challenge
    forged = tuple(
        replace(proof, addresses=claim.addresses) for proof, claim in zip(theirs.proofs, honest.proofs, strict=True)
    )
    done = scene.verify(changed(scene, "forged", replace(honest, proofs=forged)), "--challenge", challenge)
    assert (done.exit_code, done.json["keys_proved"], done.json["total_sats"]) == (3, "invalid", 0)
    assert codes(done.json) == {"RESERVE_PROOF_INVALID", "RESERVE_PROOF_MISSING"}
    swapped = tuple(
        replace(proof, addresses=other.addresses)
        for proof, other in zip(honest.proofs, honest.proofs[1:] + honest.proofs[:1], strict=True)
    )
    done = scene.verify(changed(scene, "swapped", replace(honest, proofs=swapped)), "--challenge", challenge)
    assert (done.exit_code, done.json["keys_proved"], done.json["total_sats"]) == (3, "invalid", 0)
    assert codes(done.json) == {"RESERVE_PROOF_INVALID", "RESERVE_PROOF_MISSING"}


@pytest.mark.parametrize("prefix", ["ful", "pof", "", "smp "])
def test_a84_a_prefix_that_is_not_the_signature_s_form_is_refused_or_read_as_simple(
    scene: ReservesScene, prefix: str
) -> None:
    challenge = scene.ask(f"a84-{prefix.strip() or 'none'}-{len(prefix)}")
    honest = parse_statement(scene.holder.prove(challenge, name=f"a84-{len(prefix)}-{prefix.strip()}").read_bytes())
    relabelled = tuple(replace(one, text=prefix + one.text.removeprefix("smp")) for one in honest.proofs)
    done = scene.verify(changed(scene, "prefix", replace(honest, proofs=relabelled)), "--challenge", challenge)
    assert done.exit_code == (0 if prefix == "" else 3)  # without one it is the simple form, as the BIP has it


def test_a84_what_cannot_be_judged_is_never_valid(scene: ReservesScene) -> None:
    challenge = scene.ask("a84-payment")
    prove = ["audit", "reserves", "prove", "--challenge", challenge, "--route", "payment"]
    planned = scene.office.json(prove)
    to = f"{planned['address']}={planned['amount_sats']}sat"
    sent = scene.office.send(scene.office.draft("--to", to, "--coin", planned["coin"]), 2, 8)
    scene.office.mine(1)
    scene.office.json(["coins", "sync"])
    statement = scene.folder / "paid.json"
    done = scene.office.json([*prove, "--txid", sent["txid"], "--disclose", "descriptor", "-o", statement])
    assert done["result"] == "valid"
    behind = scene.verify(statement, "--challenge", challenge)
    assert (behind.exit_code, behind.json["result"]) == (9, "inconclusive")  # its node lacks the payment's block
    scene.follow()
    assert scene.verify(statement, "--challenge", challenge).exit_code == 0
    hidden = replace(parse_statement(statement.read_bytes()), descriptor=None)
    bare = replace(
        hidden, addresses=tuple(replace(one, branch=None, index=None) for one in hidden.addresses), vault_id=None
    )
    undisclosed = changed(scene, "undisclosed", bare)
    unjudged = scene.verify(undisclosed, "--challenge", challenge)
    assert (unjudged.exit_code, unjudged.json["result"]) == (9, "inconclusive")
    assert (unjudged.json["keys_proved"], unjudged.json["total_sats"]) == ("inconclusive", 0)
    with_vault = ["--vault-file", scene.office.folder / "vault.yaml"]
    assert scene.verify(undisclosed, "--challenge", challenge, *with_vault).exit_code == 0


def test_a85_coins_borrowed_for_the_day_are_seen_to_come_and_go(scene: ReservesScene) -> None:
    address = scene.office.json(["address", "next"])["address"]
    scene.office.node.pay(address, "5")
    scene.office.mine(6)
    scene.office.json(["coins", "sync"])
    scene.follow()
    challenge = scene.ask("a85")
    statement = scene.holder.prove(challenge, name="a85")
    borrowed = next(one for one in scene.office.json(["coins", "list"])["coins"] if one["value_sats"] == 500_000_000)
    coin = f"{borrowed['txid']}:{borrowed['vout']}"
    scene.office.send(scene.office.draft("--to", f"{stranger(85)}=4.9btc", "--coin", coin), 2, 5)
    scene.office.mine(1)
    scene.follow()
    done = scene.verify(statement, "--challenge", challenge)
    found = done.json
    assert (done.exit_code, found["result"]) == (0, "valid")  # it was there at the block, which is all that is proven
    assert {"RESERVE_RECENT_INFLOW", "RESERVE_MOVED_SINCE"} <= codes(found, "warn")
    assert found["age"]["moved_since_sats"] == 500_000_000
    assert found["age"]["youngest_blocks"] < 6
    assert set(NOT_PROVEN) <= set(found["not_proven"])
    shown = scene.office.run(["audit", "reserves", "verify", statement, "--challenge", challenge]).stdout
    assert all(f"  - {text}\n" in shown for text in found["not_proven"])
    assert shown.index("spent by now: 5.00000000 BTC") < shown.index("NOT PROVEN")
