"""What an auditor's replay finds in journals built in memory: decisions, observations, and files damaged at random."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.audit.journal import GENESIS_PREV, Entry
from custody.bitcoin.amount import Sats
from custody.bitcoin.transaction import OutPoint, Transaction, TxOutput
from custody.codes import Code
from custody.errors import InvalidInput, Severity
from custody.people.statement import StatementKind
from custody.workflow.audit_journal import Beside, audit_journal
from custody.workflow.audited import MAX_FINDINGS, JournalAudit
from support.edited_journals import Export
from support.governed import GovernedLedger, policy_text, simulated_vault
from support.journals import export
from support.ledger import OUTSIDE, Ledger
from support.vaults import make_vault


def audited(folder: Path, content: bytes, beside: Beside | None = None) -> JournalAudit:
    path = folder / "export.jsonl"
    path.write_bytes(content)
    return audit_journal(path, beside or Beside())


def found(audit: JournalAudit, severity: Severity = Severity.REFUSE) -> list[tuple[Code, int | None]]:
    return [(one.finding.code, one.seq) for one in audit.findings if one.finding.severity is severity]


def paid_under(policy: str, sats: int) -> tuple[GovernedLedger, int]:
    """Let insiders do what the policy may forbid: all approve and sign. Return the ledger and the draft's entry."""
    ledger = GovernedLedger(simulated_vault())
    ledger.found(policy)
    ledger.receive(500_000_000)
    assert ledger.gov.policy is not None
    drafted = ledger.draft((OUTSIDE, sats), policy_digest=ledger.gov.policy.digest, drafter="dora")
    at = len(ledger.entries)
    proposal_id = ledger.propose(drafted)
    ledger.sign_proposal(proposal_id, StatementKind.PROPOSE, "dora")
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "ann", "bo", "cy")
    ledger.sign_really(proposal_id, 1)
    ledger.sign_really(proposal_id, 2)
    return ledger, at


def test_a_decision_that_the_policy_forbade_is_named_at_each_gate(tmp_path: Path) -> None:
    ledger, at = paid_under(policy_text(day="1btc", unlisted="routine"), 200_000_000)
    audit = audited(tmp_path, export(ledger.entries))
    expected = [(Code.POLICY_DENIED, at + gate) for gate in (0, 3, 4, 5, 6, 7)]
    assert found(audit) == expected
    first = audit.findings[0].finding
    assert "passed the gate `draft`, and the policy in force forbids it" in first.message
    assert "24 hours" in first.message
    assert [one.kind for one in audit.findings] == [
        "proposal_drafted",
        *["proposal_statement"] * 3,
        *["signatures_added"] * 2,
    ]


def test_the_same_within_the_limits_is_sound(tmp_path: Path) -> None:
    ledger, _at = paid_under(policy_text(unlisted="routine"), 200_000_000)
    audit = audited(tmp_path, export(ledger.entries))
    assert (found(audit), audit.is_sound) == ([], True)
    assert audit.checked["decisions"] == 6


def test_a_payment_of_which_nothing_is_seen_is_a_warning_after_a_hundred_blocks(tmp_path: Path) -> None:
    ledger = Ledger(make_vault())
    ledger.receive(5_000_000)
    paid = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    final = ledger.finalize(paid)
    ledger.broadcast(paid, final)
    sent = len(ledger.entries) - 1
    ledger.mine(100)
    assert found(audited(tmp_path, export(ledger.entries)), Severity.WARN) == []
    ledger.mine(1)
    audit = audited(tmp_path, export(ledger.entries))
    assert found(audit, Severity.WARN) == [(Code.BROADCAST_UNSEEN, sent)]
    ledger.mine(1, final)
    assert found(audited(tmp_path, export(ledger.entries)), Severity.WARN) == []


def test_a_reorganization_that_replaces_a_spend_contradicts_nothing(tmp_path: Path) -> None:
    ledger = Ledger(make_vault())
    coin, _other = ledger.receive(5_000_000, 6_000_000)
    first, second = ledger.spend_elsewhere(coin), ledger.spend_elsewhere(coin, to=b"\x00\x14" + b"\x07" * 20)
    ledger.mine(1, first)
    stale = ledger.entries[-1].body["transactions"]
    assert isinstance(stale, list)
    assert isinstance(stale[0], dict)
    ledger.fork += 1
    ledger.observe((second, ledger.height), vanished=(str(stale[0]["block_hash"]),))
    audit = audited(tmp_path, export(ledger.entries))
    assert {code for code, _seq in found(audit)} == {Code.UNEXPLAINED_OUTFLOW}
    ledger.observe((first, ledger.height))
    both = audited(tmp_path, export(ledger.entries))
    assert (Code.ENTRY_CONTRADICTED, len(ledger.entries) - 1) in found(both)


def test_a_spend_of_a_coin_that_nothing_ever_received_is_named(tmp_path: Path) -> None:
    ledger = Ledger(make_vault())
    ledger.receive(5_000_000)
    edited = Export([json.loads(entry.export_line()) for entry in ledger.entries])
    spend = edited.body(1)["transactions"][0] | {
        "txid": "cd" * 32,
        "inputs": [{"outpoint": f"{'ab' * 32}:0", "value_sats": 5, "branch": 0, "index": 0}],
    }
    edited.body(1)["transactions"].append(spend)
    edited.rehash().write(tmp_path / "edited.jsonl")
    audit = audit_journal(tmp_path / "edited.jsonl", Beside())
    assert (Code.ENTRY_CONTRADICTED, 1) in found(audit)


def test_without_an_adoption_only_the_chain_is_judged_unless_a_vault_is_given(tmp_path: Path) -> None:
    ledger = Ledger(make_vault())
    ledger.receive(5_000_000)
    rest = export(ledger.entries[1:])
    audit = audited(tmp_path, rest)
    assert found(audit) == [(Code.JOURNAL_ALTERED, 1)] * 3
    assert audit.vault_id is None
    given = audited(tmp_path, rest, Beside(ledger.vault))
    assert given.checked["observations"] == 0  # the first entry that is read takes the place of the adoption
    assert given.vault_id == ledger.vault.vault_id


def test_an_empty_file_is_no_journal(tmp_path: Path) -> None:
    audit = audited(tmp_path, b"")
    assert (audit.count, audit.head, audit.is_sound) == (0, GENESIS_PREV, False)


def test_more_findings_than_are_kept_are_counted(tmp_path: Path) -> None:
    audit = audited(tmp_path, b"{x\n" * (MAX_FINDINGS // 2 + 5))
    assert len(audit.findings) == MAX_FINDINGS
    assert audit.unlisted >= 10
    assert not audit.is_sound


def test_another_file_is_no_altered_journal(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        audited(tmp_path, b"format: custody-policy/1\nname: x\n")
    assert caught.value.code is Code.UNKNOWN_FORMAT
    assert not audited(tmp_path, b"format: x\n{}\n").is_sound


@pytest.fixture(scope="module")
def honest() -> list[Entry]:
    return paid_under(policy_text(unlisted="routine"), 200_000_000)[0].entries


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10**9), new=st.integers(0, 255))
def test_any_changed_byte_is_found_and_nothing_breaks(
    honest: Sequence[Entry], tmp_path: Path, at: int, new: int
) -> None:
    content = bytearray(export([*honest]))
    place = at % len(content)
    if content[place] == new:
        return
    content[place] = new
    audit = audited(tmp_path, bytes(content))
    assert not audit.is_sound
    assert audit.findings


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random=st.randoms(use_true_random=False))
def test_any_value_changed_and_re_hashed_breaks_nothing(
    honest: Sequence[Entry], tmp_path: Path, random: Random
) -> None:
    edited = Export([json.loads(entry.export_line()) for entry in honest])
    for _ in range(random.randint(1, 4)):
        _mutate(random.choice(edited.entries), random)
    path = edited.rehash().write(tmp_path / "edited.jsonl")
    audit = audit_journal(path, Beside())
    assert audit.count <= len(honest)
    json.dumps(audit.to_json())


def _mutate(entry: dict[str, Any], random: Random) -> None:
    """Change one value anywhere in an entry's body, or its tip."""
    place: Any = entry if random.random() < 0.1 else entry["body"]
    for _ in range(12):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = random.choice(keys)
        if isinstance(place[key], dict | list) and place[key]:
            place = place[key]
            continue
        value = place[key]
        place[key] = random.choice([None, -1, 0, 2**31, 2**53 - 1, "", "ab" * 32, True, [], {}, value])
        return


def test_a_psbt_whose_previous_transaction_is_another_proves_nothing(tmp_path: Path) -> None:
    """A PSBT with another amount in its previous transaction: no signature of it counts."""
    ledger, at = paid_under(policy_text(unlisted="routine"), 200_000_000)
    edited = Export([json.loads(entry.export_line()) for entry in ledger.entries])
    body = edited.body(at)
    raw = base64.b64decode(body["psbt"])
    previous = ledger.transactions[OutPoint.parse(body["proposal"]["inputs"][0]).txid]
    other = Transaction(
        previous.version, previous.inputs, (TxOutput(Sats(600_000_000), previous.outputs[0].script_pubkey),), 0
    )
    body["psbt"] = base64.b64encode(raw.replace(previous.serialize(), other.serialize())).decode()
    audit = audit_journal(edited.rehash().write(tmp_path / "edited.jsonl"), Beside())
    assert not audit.is_sound
