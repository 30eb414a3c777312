"""A journal's export edited in many ways, most of them with every hash made right again: `audit journal` names each.

The editor owns the file and knows this program; what they don't have is anybody's key. Each case says which findings
must be there, by code and entry. The honest export is sound, so that what is found is the edit.
"""

import base64
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.address import script_of
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.transaction import Transaction
from custody.people.change import Change
from custody.spend.proposal import Proposal
from custody.vault.formats import vault_file
from support.cli import run, run_json
from support.edited_journals import Export, audit, audited_office, places
from support.governed import signer_of
from support.governed_office import GovernedOffice
from support.rehearsal import stranger
from support.ssh import SshKeygen
from support.vaults import make_vault

FOUNDING, FIRST_SIGNER, OBSERVED, DRAFT = 6, 7, 16, 17
PROPOSE, APPROVE_ANN, APPROVE_BO, APPROVE_CY, SIGNED, FINAL, SENT, SEEN = 19, 20, 21, 22, 23, 25, 26, 27
CHECKPOINT, FROZEN, DRAFT_2, APPROVE_2, NEWEST = 29, 30, 34, 37, 48
"""Where things stand in the honest export; `test_the_honest_export_is_sound` holds them."""


@dataclass(frozen=True)
class Case:
    """One edit."""

    edit: Callable[[Export], None]
    expected: tuple[tuple[str, int], ...]
    """Findings that must be there, by code and entry."""
    rehashed: bool = True
    exit_code: int = 10
    severity: str = "refuse"
    with_checkpoint: bool = False


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, ssh_keygen: SshKeygen) -> Path:
    """A folder with the office, `export.jsonl` and `checkpoint.json`."""
    made = tmp_path_factory.mktemp("edited")
    office: GovernedOffice = audited_office(made, ssh_keygen)
    assert office.folder == made / "office"
    return made


@pytest.fixture
def export(folder: Path) -> Export:
    return Export.read(folder / "export.jsonl")


def test_the_honest_export_is_sound(folder: Path, export: Export) -> None:
    answer = audit(folder / "export.jsonl", "--checkpoint", folder / "checkpoint.json", exit_code=0)
    assert (answer["ok"], answer["findings"], answer["entries"]) == (True, [], len(export.entries))
    assert answer["head"] == export.entries[-1]["hash"]
    assert answer["vouched_through"] == CHECKPOINT - 1
    assert answer["checked"] == {
        "decisions": 17,
        "final_transactions": 2,
        "observations": 5,
        "payment_signatures": 4,
        "ssh_signatures": 17,
        "rehearsals": 0,
    }
    kinds = {
        FOUNDING: "change_proposed",
        FIRST_SIGNER: "change_signed",
        OBSERVED: "chain_observed",
        DRAFT: "proposal_drafted",
        PROPOSE: "proposal_statement",
        APPROVE_CY: "proposal_statement",
        SIGNED: "signatures_added",
        FINAL: "proposal_finalized",
        SENT: "proposal_broadcast",
        SEEN: "chain_observed",
        CHECKPOINT: "checkpoint_signed",
        FROZEN: "coins_frozen",
        DRAFT_2: "proposal_drafted",
        APPROVE_2: "proposal_statement",
        NEWEST: "address_issued",
    }
    assert {at: export.entries[at]["kind"] for at in kinds} == kinds


def an_amount(export: Export) -> None:
    export.body(DRAFT)["proposal"]["destinations"][0]["value_sats"] += 1


def a_later_expiry(export: Export) -> None:
    export.body(DRAFT)["proposal"]["expires"] = "2036-01-01T00:00:00Z"


def another_destination_everywhere(export: Export) -> None:
    """Pay somebody else, with a proposal, an id and a PSBT that fit each other, and every entry about it renamed."""
    body = export.body(DRAFT)
    before, document = body["proposal_id"], deepcopy(body["proposal"])
    honest, forged_script = (script_of(stranger(number), Network.REGTEST).hex() for number in (1, 99))
    transaction = Transaction.parse(bytes.fromhex(document["unsigned_transaction"].replace(honest, forged_script)))
    document["destinations"][0]["address"] = stranger(99)
    document.update(unsigned_transaction=transaction.serialize_without_witness().hex(), unsigned_txid=transaction.txid)
    proposal = Proposal.from_document(document)
    drafted = Psbt.parse(base64.b64decode(body["psbt"]))
    fresh = Psbt.create(proposal.unsigned_transaction)
    forged = replace(fresh, inputs=drafted.inputs)
    body.update(proposal=document, psbt=forged.to_base64())
    for entry in export.entries:
        if entry["body"].get("proposal_id") == before:
            entry["body"]["proposal_id"] = proposal.proposal_id


def another_approver(export: Export) -> None:
    export.body(APPROVE_ANN)["officer"] = "audrey"


def remove(*places: int) -> Callable[[Export], None]:
    def edit(export: Export) -> None:
        for at in sorted(places, reverse=True):
            del export.entries[at]

    return edit


def swap(first: int, second: int) -> Callable[[Export], None]:
    def edit(export: Export) -> None:
        entries = export.entries
        entries[first], entries[second] = entries[second], entries[first]

    return edit


def a_forged_approval(export: Export) -> None:
    third = export.body(47)
    export.insert(NEWEST, "proposal_statement", {**third, "officer": "bo"}, actor="bo")


def a_replayed_approval(export: Export) -> None:
    """Take bo's true approval of the second payment for the third one."""
    third, bo = export.body(47), export.body(38)
    export.insert(NEWEST, "proposal_statement", {**bo, "proposal_id": third["proposal_id"]}, actor="bo")


def another_label_before_the_checkpoint(export: Export) -> None:
    export.body(12)["label"] = "somebody else's pool"


def cut(length: int) -> Callable[[Export], None]:
    def edit(export: Export) -> None:
        del export.entries[length:]

    return edit


def a_wider_policy(export: Export) -> None:
    """Lift the tier that two approvers may pay alone, and rename the change in every signature."""
    _edit_founding(export, lambda payload: payload["policy"]["payment"]["tiers"][0].update(up_to="1000btc"))


def another_officer_key(export: Export) -> None:
    strangers = signer_of("eve").public.to_text()
    _edit_founding(export, lambda payload: payload["officers"][2].update(key=strangers))


def _edit_founding(export: Export, edit: Callable[[dict[str, Any]], None]) -> None:
    before = Change.from_document(export.body(FOUNDING)["change"]).change_id
    edit(export.body(FOUNDING)["change"]["payload"])
    for entry in export.entries:
        if entry["body"].get("change_id") == before:
            entry["body"]["change_id"] = Change.from_document(export.body(FOUNDING)["change"]).change_id


def a_day_back(at: int) -> Callable[[Export], None]:
    def edit(export: Export) -> None:
        time = export.entries[at]["time"]
        export.entries[at]["time"] = f"{int(time[:4]) - 1}{time[4:]}"

    return edit


def an_old_chain(export: Export) -> None:
    export.entries[APPROVE_2]["tip"] = export.entries[DRAFT]["tip"] | {"height": 1}


def a_forged_checkpoint(export: Export) -> None:
    export.body(CHECKPOINT)["head"] = "ab" * 32


def one_position_twice(export: Export) -> None:
    export.rehash()
    export.entries[APPROVE_BO]["seq"] = APPROVE_ANN


def a_foreign_journal_id(export: Export) -> None:
    for entry in export.entries[FROZEN:]:
        entry["journal_id"] = "another"


def another_journal_id_throughout(export: Export) -> None:
    for entry in export.entries:
        entry["journal_id"] = "another"


def a_signature_of_another_payment(export: Export) -> None:
    export.body(SIGNED)["signatures"][0]["signature"] = export.body(39)["signatures"][0]["signature"]


def a_final_transaction_without_a_signature(export: Export) -> None:
    final = Transaction.parse(bytes.fromhex(export.body(FINAL)["transaction"]))
    spent = final.inputs[0]
    bare = replace(spent, witness=(spent.witness[0], spent.witness[1], spent.witness[1], spent.witness[-1]))
    cheat = replace(final, inputs=(bare, *final.inputs[1:]))
    export.body(FINAL)["transaction"] = cheat.serialize().hex()


def an_unfreeze_without_signatures(export: Export) -> None:
    frozen = export.body(FROZEN)
    export.insert(FROZEN + 1, "coins_unfrozen", {"outpoints": frozen["outpoints"], "reason": "answered"})


def a_coin_of_another_amount(export: Export) -> None:
    spent = export.body(DRAFT)["proposal"]["inputs"][0]
    for one in export.body(OBSERVED)["transactions"]:
        if spent.startswith(one["txid"]):
            one["outputs"][int(spent.rpartition(":")[2])]["value_sats"] += 100_000_000


def a_strangers_script_as_ours(export: Export) -> None:
    outputs = export.body(OBSERVED)["transactions"][0]["outputs"]
    next(one for one in outputs if one["branch"] is not None)["script_pubkey"] = "0020" + "cd" * 32


def a_coin_of_ours_as_nobodys(export: Export) -> None:
    outputs = export.body(OBSERVED)["transactions"][0]["outputs"]
    next(one for one in outputs if one["branch"] is not None).update(branch=None, index=None)


def a_coin_spent_twice(export: Export) -> None:
    """Write a second transaction in a block that spends the coins of the first payment: it would count twice."""
    paid = export.body(SEEN)["transactions"] or export.body(SEEN + 1)["transactions"]
    again = deepcopy(next(one for one in paid if one["inputs"]))
    again.update(txid="ef" * 32, block_hash="ef" * 32, height=export.body(44)["tip"]["height"])
    export.body(44)["transactions"].append(again)


def a_payment_that_spends_nothing(export: Export) -> None:
    for at in (SEEN, SEEN + 1):
        for one in export.body(at)["transactions"]:
            one["inputs"] = []


def a_block_above_the_tip(export: Export) -> None:
    export.body(OBSERVED)["transactions"][0]["height"] = 1_000_000


def a_coin_that_nobody_saw(export: Export) -> None:
    spent = export.body(DRAFT)["proposal"]["inputs"][0]
    body = export.body(OBSERVED)
    body["transactions"] = [one for one in body["transactions"] if not spent.startswith(one["txid"])]


def a_fee_above_what_was_drafted(export: Export) -> None:
    for at in (SEEN, SEEN + 1):
        export.body(at)["transactions"][0]["fee_sats"] += 1


def a_spend_below_its_coin(export: Export) -> None:
    """Move the second payment to a block below the one that made the coin which it spends."""
    export.body(44)["transactions"][0]["height"] = 109


def a_reward_spent_early(export: Export) -> None:
    for at in (SEEN + 1, 44):
        export.body(at)["transactions"][0]["height"] = 100


def one_block_at_two_heights(export: Export) -> None:
    first, second = export.body(OBSERVED)["transactions"][:2]
    second["block_hash"] = first["block_hash"]


def another_block_at_the_tip(export: Export) -> None:
    export.body(OBSERVED)["transactions"][0]["height"] = export.body(OBSERVED)["tip"]["height"]


def a_block_that_vanishes_from_below_others(at: int) -> Callable[[Export], None]:
    """Append what a reorganization looks like, and keep all blocks above the one that is to be forgotten."""

    def edit(export: Export) -> None:
        lost = export.body(at)["transactions"][-1]["block_hash"]
        export.insert(45, "chain_observed", {**export.body(44), "transactions": [], "vanished_blocks": [lost]})

    return edit


def a_block_moved_below_others(export: Export) -> None:
    moved = deepcopy(export.body(SEEN + 1)["transactions"][0])
    lost, moved["block_hash"], moved["height"] = moved["block_hash"], "ef" * 32, 111
    export.insert(45, "chain_observed", {**export.body(44), "transactions": [moved], "vanished_blocks": [lost]})


def an_observation_told_again(export: Export) -> None:
    export.insert(45, "chain_observed", deepcopy(export.body(SEEN + 1)))


def a_payment_as_a_reward(export: Export) -> None:
    export.body(SEEN + 1)["transactions"][0]["coinbase"] = True


def a_tip_of_no_observation(export: Export) -> None:
    """Show the office a later time, in which whatever waits has waited long enough."""
    for entry in export.entries[46:]:
        entry["tip"] = entry["tip"] | {"median_time_past": entry["tip"]["median_time_past"] + 86_400}


def a_strangers_address_handed_out(export: Export) -> None:
    export.body(NEWEST)["address"] = stranger(99)


def _theft(export: Export) -> dict[str, Any]:
    """Return a transaction that takes a coin which no proposal spends."""
    drafted = {one for at in (DRAFT, DRAFT_2, 45) for one in export.body(at)["proposal"]["inputs"]}
    for made in export.body(OBSERVED)["transactions"]:
        for output in made["outputs"]:
            outpoint = f"{made['txid']}:{output['vout']}"
            if output["branch"] is not None and outpoint not in drafted:
                spent = {"outpoint": outpoint, **{name: output[name] for name in ("value_sats", "branch", "index")}}
                paid = {"vout": 0, "value_sats": output["value_sats"] - 500, "branch": None, "index": None}
                paid["script_pubkey"] = script_of(stranger(98), Network.REGTEST).hex()
                return {
                    "txid": "ab" * 32,
                    "height": 118,
                    "block_hash": "cd" * 32,
                    "coinbase": False,
                    "fee_sats": 500,
                    "inputs": [spent],
                    "outputs": [paid],
                }
    raise LookupError


def a_theft_that_somebody_accepts(export: Export) -> None:
    export.body(44)["transactions"].append(_theft(export))
    body = {"outpoints": [], "txids": ["ab" * 32], "prior_history": None, "reason": "known to us"}
    export.insert(45, "coins_accepted", body)


def a_fee_below_what_left(export: Export) -> None:
    export.body(44)["transactions"].append({**_theft(export), "fee_sats": 499})


def an_unknown_kind(export: Export) -> None:
    export.entries[NEWEST]["kind"] = "coins_minted"


def another_vault(export: Export) -> None:
    export.body(0)["document"]["birth_height"] = 5
    export.body(0)["vault_id"] = "00" * 32


CASES = {
    "amount": Case(an_amount, (("JOURNAL_ALTERED", DRAFT),), rehashed=False),
    "amount, re-hashed": Case(an_amount, (("JOURNAL_ALTERED", DRAFT),)),
    "expiry, re-hashed": Case(a_later_expiry, (("JOURNAL_ALTERED", DRAFT),)),
    "destination, and all that names it": Case(
        another_destination_everywhere,
        (
            *(("AUTHORITY_DISREGARDED", at) for at in (PROPOSE, APPROVE_ANN, APPROVE_BO, APPROVE_CY)),
            ("APPROVALS_MISSING", SIGNED),
            ("BAD_SIGNATURE", SIGNED),
            ("BAD_SIGNATURE", SIGNED + 1),
            ("JOURNAL_ALTERED", FINAL),
        ),
    ),
    "approver": Case(another_approver, (("AUTHORITY_DISREGARDED", APPROVE_ANN), ("APPROVALS_MISSING", SIGNED))),
    "removed entry": Case(remove(APPROVE_BO), (("JOURNAL_ALTERED", APPROVE_CY),), rehashed=False),
    "removed approval, re-hashed": Case(
        remove(APPROVE_BO),
        (("APPROVALS_MISSING", SIGNED - 1), ("APPROVALS_MISSING", FINAL - 1), ("APPROVALS_MISSING", SENT - 1)),
    ),
    "removed draft, re-hashed": Case(remove(DRAFT), tuple(("JOURNAL_ALTERED", at) for at in range(17, 26))),
    "removed observation, re-hashed": Case(remove(OBSERVED), (("ENTRY_CONTRADICTED", DRAFT - 1),)),
    "removed freeze with a checkpoint": Case(remove(12), (("JOURNAL_FORK", CHECKPOINT - 1),), with_checkpoint=True),
    "swapped: signed before approved": Case(swap(APPROVE_CY, SIGNED), (("APPROVALS_MISSING", APPROVE_CY),)),
    "swapped, hashes left": Case(swap(12, 13), (("JOURNAL_ALTERED", 13), ("JOURNAL_ALTERED", 12)), rehashed=False),
    "inserted approval by nobody's key": Case(a_forged_approval, (("AUTHORITY_DISREGARDED", NEWEST),)),
    "replayed approval": Case(a_replayed_approval, (("AUTHORITY_DISREGARDED", NEWEST),)),
    "re-hashed history": Case(
        another_label_before_the_checkpoint, (("JOURNAL_FORK", CHECKPOINT - 1),), with_checkpoint=True
    ),
    "cut tail": Case(cut(20), (("JOURNAL_FORK", CHECKPOINT - 1),), with_checkpoint=True),
    "policy, and all that names it": Case(
        a_wider_policy,
        (*(("AUTHORITY_DISREGARDED", at) for at in range(7, 12)), ("ENTRY_CONTRADICTED", DRAFT)),
    ),
    "officer's key, and all that names it": Case(
        another_officer_key, (*(("AUTHORITY_DISREGARDED", at) for at in range(7, 12)), ("ENTRY_CONTRADICTED", DRAFT))
    ),
    "backdated": Case(a_day_back(APPROVE_2), (("CLOCK_STEPPED_BACK", APPROVE_2),), exit_code=0, severity="warn"),
    "backdated before the checkpoint": Case(
        a_day_back(APPROVE_ANN), (("JOURNAL_FORK", CHECKPOINT - 1),), with_checkpoint=True
    ),
    "an old chain shown": Case(an_old_chain, (("CLOCK_STEPPED_BACK", APPROVE_2),), severity="warn"),
    "forged checkpoint": Case(a_forged_checkpoint, (("AUTHORITY_DISREGARDED", CHECKPOINT),)),
    "duplicated seq": Case(one_position_twice, (("JOURNAL_ALTERED", APPROVE_ANN),), rehashed=False),
    "foreign journal_id": Case(a_foreign_journal_id, (("JOURNAL_ALTERED", FROZEN),)),
    "another journal_id throughout": Case(another_journal_id_throughout, (("AUTHORITY_DISREGARDED", CHECKPOINT),)),
    "PSBT signature replaced": Case(a_signature_of_another_payment, (("BAD_SIGNATURE", SIGNED),)),
    "final witness": Case(a_final_transaction_without_a_signature, (("BAD_FINAL_WITNESS", FINAL),)),
    "unfreeze without signature": Case(an_unfreeze_without_signatures, (("AUTHORITY_DISREGARDED", FROZEN + 1),)),
    "observation: another amount": Case(a_coin_of_another_amount, (("ENTRY_CONTRADICTED", DRAFT),)),
    "observation: a stranger's coin": Case(a_strangers_script_as_ours, (("ENTRY_CONTRADICTED", OBSERVED),)),
    "observation: our coin hidden": Case(a_coin_of_ours_as_nobodys, (("ENTRY_CONTRADICTED", OBSERVED),)),
    "observation: an outpoint twice": Case(a_coin_spent_twice, (("ENTRY_CONTRADICTED", 44),)),
    "observation: a payment without inputs": Case(a_payment_that_spends_nothing, (("ENTRY_CONTRADICTED", SEEN),)),
    "observation: above the tip": Case(a_block_above_the_tip, (("ENTRY_CONTRADICTED", OBSERVED),)),
    "observation: a coin left out": Case(a_coin_that_nobody_saw, (("ENTRY_CONTRADICTED", DRAFT),)),
    "observation: a fee too high": Case(a_fee_above_what_was_drafted, (("ENTRY_CONTRADICTED", SEEN),)),
    "observation: spent before it was made": Case(a_spend_below_its_coin, (("ENTRY_CONTRADICTED", 44),)),
    "observation: a reward spent early": Case(a_reward_spent_early, (("ENTRY_CONTRADICTED", SEEN + 1),)),
    "observation: a block at two heights": Case(one_block_at_two_heights, (("ENTRY_CONTRADICTED", OBSERVED),)),
    "observation: another block at the tip": Case(another_block_at_the_tip, (("ENTRY_CONTRADICTED", OBSERVED),)),
    "reorganization that forgets a payment": Case(
        a_block_that_vanishes_from_below_others(SEEN + 1), (("ENTRY_CONTRADICTED", 45),)
    ),
    "reorganization that forgets an inflow": Case(
        a_block_that_vanishes_from_below_others(OBSERVED), (("ENTRY_CONTRADICTED", 45),)
    ),
    "reorganization that moves a payment": Case(a_block_moved_below_others, (("ENTRY_CONTRADICTED", 45),)),
    "observation: told again": Case(an_observation_told_again, (("ENTRY_CONTRADICTED", 45),)),
    "observation: a payment as a reward": Case(a_payment_as_a_reward, (("ENTRY_CONTRADICTED", SEEN + 1),)),
    "observation: a fee too low": Case(a_fee_below_what_left, (("ENTRY_CONTRADICTED", 44),)),
    "a tip that nobody observed": Case(a_tip_of_no_observation, (("ENTRY_CONTRADICTED", 46),)),
    "address of a stranger": Case(a_strangers_address_handed_out, (("ENTRY_CONTRADICTED", NEWEST),)),
    "theft, accepted in a word": Case(
        a_theft_that_somebody_accepts, (("OUTFLOW_ON_WORD", 45),), exit_code=0, severity="warn"
    ),
    "unknown kind": Case(an_unknown_kind, (("UPGRADE_NEEDED", NEWEST),), exit_code=6),
    "vault": Case(another_vault, (("JOURNAL_ALTERED", 0),)),
}


@pytest.mark.parametrize("name", CASES)
def test_a61_a63_a65_a101_a102_a103_each_edit_is_named_with_its_place(
    folder: Path, export: Export, tmp_path: Path, name: str
) -> None:
    case = CASES[name]
    case.edit(export)
    path = (export.rehash() if case.rehashed else export).write(tmp_path / "edited.jsonl")
    words = ("--checkpoint", folder / "checkpoint.json") if case.with_checkpoint else ()
    answer = audit(path, *words, exit_code=case.exit_code)
    found = places(answer, severity=case.severity)
    assert set(case.expected) - set(found) == set(), found
    assert answer["ok"] is (case.exit_code == 0)


def test_a101_bytes_that_are_not_canonical_are_named(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "export.jsonl").read_bytes().splitlines(keepends=True)
    lines[APPROVE_ANN] = lines[APPROVE_ANN].replace(b'{"actor":"ann"', b'{"actor": "ann"')
    lines[DRAFT_2] = b"not JSON at all\n"
    path = tmp_path / "edited.jsonl"
    path.write_bytes(b"".join(lines))
    answer = audit(path, exit_code=10)
    assert places(answer)[0] == ("JOURNAL_ALTERED", APPROVE_ANN)
    assert ("JOURNAL_ALTERED", DRAFT_2) in places(answer)
    assert {one["line"] for one in answer["findings"] if one["entry"] == DRAFT_2} == {DRAFT_2 + 1}


def test_a101_a_break_hides_nothing_after_it(export: Export, tmp_path: Path) -> None:
    a_forged_approval(export)
    export.rehash()
    export.body(FIRST_SIGNER)["approves"] = False
    answer = audit(export.write(tmp_path / "edited.jsonl"), exit_code=10)
    assert places(answer)[0] == ("JOURNAL_ALTERED", FIRST_SIGNER)
    forged = next(one for one in answer["findings"] if one["entry"] == NEWEST)
    assert (forged["code"], forged["kind"], forged["after_break"]) == (
        "AUTHORITY_DISREGARDED",
        "proposal_statement",
        True,
    )
    assert answer["chain_whole_through"] == FIRST_SIGNER - 1
    shown = run(["audit", "journal", tmp_path / "edited.jsonl"])
    assert shown.exit_code == 10
    assert f"The chain is broken at entry {FIRST_SIGNER}." in shown.stdout
    assert f"AUTHORITY_DISREGARDED@entry:{NEWEST} (line {NEWEST + 1}, proposal_statement)" in shown.stdout


def test_a101_an_observation_that_only_a_node_can_refute_is_said_to_need_one(export: Export, tmp_path: Path) -> None:
    """A coin that nothing else speaks of contradicts nothing, and neither does an outflow that is left out."""
    invented = deepcopy(export.body(OBSERVED)["transactions"][0])
    invented.update(txid="ab" * 32)
    export.body(44)["transactions"].append(invented)
    answer = audit(export.rehash().write(tmp_path / "edited.jsonl"), exit_code=0)
    assert answer["findings"] == []
    assert "audit balance --journal" in answer["not_shown"][0]
    shown = run(["audit", "journal", tmp_path / "edited.jsonl"]).stdout
    assert "What a journal can't show:" in shown
    assert "that no payment or outflow was left out: ask your own node" in shown


def test_a102_a_journal_of_another_vault_contradicts_the_file_beside_it(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "vault.yaml"
    other.write_text(vault_file.write(make_vault()))
    answer = audit(folder / "export.jsonl", "--vault-file", other, exit_code=3)
    assert places(answer) == [("VAULT_MISMATCH", 0)]
    own = folder / "office" / "vault.yaml"
    assert audit(folder / "export.jsonl", "--vault-file", own, exit_code=0)["ok"] is True


def test_a101_a_head_kept_elsewhere_is_an_ancestor_or_a_fork(folder: Path, export: Export) -> None:
    head = export.entries[30]["hash"]
    assert audit(folder / "export.jsonl", "--expect-head", head, exit_code=0)["vouched_through"] == 30
    answer = audit(folder / "export.jsonl", "--expect-head", "ab" * 32, exit_code=10)
    assert [code for code, _entry in places(answer)] == ["JOURNAL_FORK"]


def test_a101_a_backup_is_audited_by_its_last_section(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "reserve.backup"
    run_json(["--vault", folder / "office", "vault", "backup", path])
    answer = audit(path, exit_code=0)
    assert (answer["ok"], answer["findings"]) == (True, [])
    content = path.read_bytes().replace(b'"label":"last"', b'"label":"lost"')
    path.write_bytes(content)
    found = places(audit(path, exit_code=10))
    assert [code for code, _entry in found] == ["BACKUP_ALTERED", "JOURNAL_ALTERED"]


def test_a101_a_report_of_an_edited_journal_is_an_alarm(export: Export, tmp_path: Path) -> None:
    """Without its inputs a payment's change would count as income, and every sum would still agree."""
    del export.entries[CHECKPOINT]
    a_payment_that_spends_nothing(export)
    path = export.rehash().write(tmp_path / "edited.jsonl")
    command = ["audit", "report", "--journal", path, "--from-height", 0, "--to-height", 121]
    told = run_json(command, exit_code=10)
    alarms = [(one["code"], one["where"]) for one in told["findings"] if one["severity"] == "refuse"]
    assert ("ENTRY_CONTRADICTED", f"entry:{SEEN}") in alarms
    shown = run(command)
    assert (shown.exit_code, shown.stderr) == (10, "")
    assert f"REFUSE ENTRY_CONTRADICTED@entry:{SEEN}" in shown.stdout
    written = run_json([*command, "-o", tmp_path / "report.html"], exit_code=10)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "ENTRY_CONTRADICTED" in page and "<strong>CONTRADICTED.</strong>" in page
    assert "Reconciled to the satoshi." not in page
    assert "CONTRADICTED: the journal itself proves an entry false" in shown.stdout
    assert written["files"] == [str(tmp_path / "report.html")]


def test_a63_a_report_says_what_was_done_without_its_approvals(export: Export, tmp_path: Path) -> None:
    remove(APPROVE_BO)(export)
    path = export.rehash().write(tmp_path / "edited.jsonl")
    command = ["audit", "report", "--journal", path, "--from-height", 0, "--to-height", 121]
    told = run_json(command, exit_code=3)
    found = [(one["code"], one["where"]) for one in told["findings"]]
    assert ("APPROVALS_MISSING", f"entry:{SIGNED - 1}") in found
    assert len([one for one in found if one[0] == "AUTHORITY_DISREGARDED"]) == 1  # the checkpoint, named once
    assert "UNEXPLAINED_OUTFLOW" in [code for code, _where in found]
