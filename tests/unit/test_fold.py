"""The fold: one state for one journal, in one go or in two; what does not fit is an altered journal."""

from collections.abc import Callable

import pytest

from custody.audit.chain_view import prior_total
from custody.audit.fold import fold, fold_more
from custody.audit.journal import GENESIS_PREV, Entry
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import Altered, JsonValue, UpgradeNeeded
from support.ledger import OUTSIDE, Ledger, block_hash
from support.vaults import make_vault

COIN = f"{'ab' * 32}:1"


def busy_ledger() -> Ledger:
    """Return a journal in which every kind occurs."""
    ledger = Ledger(make_vault())
    ledger.issue(0, "first")
    ledger.receive(5_000_000, 3_000_000, 2_000_000)
    ledger.add("label_set", {"type": "addr", "ref": "x", "label": "y", "origin": None, "spendable": None})
    ledger.add("coins_frozen", {"outpoints": [COIN], "reason": None})
    ledger.add("coins_unfrozen", {"outpoints": [COIN], "reason": "mistake"})
    ledger.add("coins_accepted", {"outpoints": [COIN], "txids": ["cd" * 32], "prior_history": None, "reason": None})
    paid = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    ledger.add("warnings_acknowledged", {"proposal_id": paid, "step": "sign", "items": ["FEE_HIGH@tx"]})
    ledger.sign(paid, 0, 2)
    final = ledger.finalize(paid)
    ledger.broadcast(paid, final)
    ledger.mine(1, final)
    for how in ("withdrawn", "rejected"):
        ledger.end(ledger.propose(ledger.draft((OUTSIDE, 900_000)), left=False), how)
    return ledger


def test_a_prefix_and_the_rest_give_the_same_state() -> None:
    ledger = busy_ledger()
    whole = fold(ledger.entries)
    assert fold(ledger.entries) == whole
    for cut in range(1, len(ledger.entries)):
        prefix = fold(ledger.entries[:cut])
        kept = fold(ledger.entries[:cut])
        assert fold_more(prefix, ledger.entries[cut:]) == whole
        assert prefix == kept  # folding on leaves it untouched


def test_the_state_says_what_was_written() -> None:
    ledger = busy_ledger()
    state = ledger.state
    assert state.vault_id == ledger.vault.vault_id
    assert [one.label for one in state.issued] == ["first"]
    assert state.labels["addr", "x"].label == "y"
    assert (state.frozen, state.taken_in) == (frozenset(), {OutPoint.parse(COIN)})
    assert state.explained == {"cd" * 32}
    assert state.tip is not None
    assert (state.tip.height, state.is_complete, state.has_complete_sync) == (ledger.height, True, True)
    record = next(iter(state.proposals.values()))
    assert record.acknowledged == {"FEE_HIGH@tx"}
    assert record.final is not None
    assert record.is_broadcast
    assert len(record.signatures) == 2 * len(record.proposal.inputs)
    assert state.head_seq == len(ledger.entries) - 1


def test_an_unknown_kind_asks_for_an_upgrade() -> None:
    ledger = busy_ledger()
    ledger.add("moon_phase_recorded", {})
    with pytest.raises(UpgradeNeeded) as caught:
        fold(ledger.entries)
    assert caught.value.code is Code.UPGRADE_NEEDED
    assert caught.value.details["kind"] == "moon_phase_recorded"


def _drafted_twice(ledger: Ledger) -> None:
    drafted = ledger.draft((OUTSIDE, 1_000_000))
    ledger.propose(drafted)
    ledger.propose(drafted, left=False)


def _signed_twice(ledger: Ledger) -> None:
    proposal_id = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    ledger.sign(proposal_id, 0)
    ledger.sign(proposal_id, 0)


def _other_final(ledger: Ledger) -> None:
    first = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    second = ledger.propose(ledger.draft((OUTSIDE, 900_000)))
    final = ledger.finalize(first)
    body: dict[str, JsonValue] = {"txid": final.txid, "transaction": final.serialize().hex()}
    ledger.add("proposal_finalized", {**body, "proposal_id": second})


def _broadcast_unfinished(ledger: Ledger) -> None:
    proposal_id = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    ledger.add("proposal_broadcast", {"proposal_id": proposal_id, "txid": "ab" * 32})


def _drafted_for_another_vault(ledger: Ledger) -> None:
    drafted = ledger.draft((OUTSIDE, 1_000_000))
    ledger.propose(drafted)
    moved = ledger.entries.pop()
    del ledger.entries[1:]
    ledger.entries[0] = Ledger(make_vault(seed=8)).entries[0]
    ledger.add(moved.kind, moved.body)


def _gone_though_mined(ledger: Ledger) -> None:
    (outpoint,) = ledger.receive(50_000)
    ledger.observe(gone=(outpoint.txid,))


def _other_outputs(ledger: Ledger) -> None:
    ledger.receive(50_000)
    row = ledger.entries[-1].body
    assert isinstance(row["transactions"], list)
    assert isinstance(row["transactions"][0], dict)
    outputs = row["transactions"][0]["outputs"]
    assert isinstance(outputs, list)
    assert isinstance(outputs[0], dict)
    changed = {**row["transactions"][0], "outputs": [{**outputs[0], "value_sats": 60_000}]}
    ledger.add("chain_observed", {**row, "transactions": [changed]})


def _height_without_block(ledger: Ledger) -> None:
    ledger.receive(50_000)
    body = ledger.entries[-1].body
    assert isinstance(body["transactions"], list)
    assert isinstance(body["transactions"][0], dict)
    ledger.add("chain_observed", {**body, "transactions": [{**body["transactions"][0], "block_hash": None}]})


def _adding(kind: str, body: dict[str, JsonValue]) -> Callable[[Ledger], None]:
    return lambda ledger: ledger.add(kind, body)


@pytest.mark.parametrize(
    "spoil",
    [
        _drafted_twice,
        _signed_twice,
        _other_final,
        _broadcast_unfinished,
        _drafted_for_another_vault,
        _gone_though_mined,
        _other_outputs,
        _height_without_block,
        lambda ledger: [ledger.issue(1), ledger.issue(1)],
        lambda ledger: ledger.add(ledger.entries[0].kind, ledger.entries[0].body),
        _adding("proposal_left", {"proposal_id": "ab" * 32, "how": "export"}),
        _adding("proposal_withdrawn", {}),
        _adding("address_issued", {"branch": "change", "index": 9, "address": "x", "label": None}),
        _adding("address_issued", {"branch": "receive", "index": True, "address": "x", "label": None}),
        _adding("coins_frozen", {"outpoints": ["ab:1"], "reason": None}),
        _adding("coins_frozen", {"outpoints": [], "reason": None, "more": 1}),
        _adding("label_set", {"type": "tx", "ref": "x", "label": 3, "origin": None, "spendable": None}),
        _adding("chain_observed", {}),
        _adding(
            "coins_accepted",
            {"outpoints": [], "txids": [], "prior_history": {"count": 3, "sum_sats": 5}, "reason": None},
        ),
    ],
)
def test_what_does_not_fit_is_an_altered_journal(spoil: Callable[[Ledger], object]) -> None:
    ledger = Ledger(make_vault())
    ledger.receive(5_000_000, 3_000_000)
    spoil(ledger)
    with pytest.raises(Altered) as caught:
        fold(ledger.entries)
    assert caught.value.code is Code.JOURNAL_ALTERED
    assert f"entry:{len(ledger.entries) - 1}" in caught.value.message


def test_a_journal_begins_with_the_vault_that_it_names() -> None:
    document: JsonValue = make_vault().to_document()
    bodies: list[tuple[str, dict[str, JsonValue]]] = [
        ("coins_frozen", {"outpoints": [], "reason": None}),
        ("vault_adopted", {"document": document, "vault_id": "ab" * 32, "ungoverned": False}),
        ("vault_adopted", {"document": {"network": "moon"}, "vault_id": "ab" * 32, "ungoverned": False}),
        ("vault_adopted", {"document": None, "vault_id": "ab" * 32, "ungoverned": False}),
    ]
    for kind, body in bodies:
        entry = Entry.make(
            journal_id="j",
            seq=0,
            time="2030-01-01T00:00:00Z",
            tip=None,
            actor=None,
            kind=kind,
            body=body,
            request_id="r",
            prev=GENESIS_PREV,
        )
        with pytest.raises(Altered):
            fold([entry])
    with pytest.raises(Altered):
        fold([])


def test_a_vanished_block_takes_its_transactions_back_and_another_brings_them_again() -> None:
    ledger = Ledger(make_vault())
    (outpoint,) = ledger.receive(5_000_000, deep=1)
    height = ledger.height
    lost = block_hash(height)
    ledger.fork = 1
    ledger.observe((ledger.transactions[outpoint.txid], None), vanished=(lost,))
    assert ledger.state.transactions[outpoint.txid].height is None
    ledger.height += 2
    ledger.observe((ledger.transactions[outpoint.txid], height + 1))
    assert ledger.state.transactions[outpoint.txid].block_hash == block_hash(height + 1, 1)
    ledger.observe(vanished=(block_hash(height + 1, 1),))
    assert outpoint.txid not in ledger.state.transactions


def test_prior_history_survives_a_reorganization_and_is_accepted_only_as_counted() -> None:
    ledger = Ledger(make_vault())
    (outpoint,) = ledger.receive(5_000_000)
    # The view so far was complete; start over with an incomplete one.
    first = ledger.entries[0]
    ledger.entries = [first]
    ledger.observe((ledger.transactions[outpoint.txid], ledger.height - 5), incomplete=("pruned",))
    spent = ledger.spend_elsewhere(outpoint)
    ledger.mine(3, spent)
    prior = prior_total(ledger.state)
    assert (prior.count, prior.sum) == (1, 5_000_000)
    ledger.observe(vanished=(block_hash(ledger.height - 2),))
    ledger.observe((spent, None))
    assert prior_total(ledger.state) == prior
    body: dict[str, JsonValue] = {"outpoints": [], "txids": [], "reason": None}
    ledger.add("coins_accepted", {**body, "prior_history": {"count": 1, "sum_sats": 4_999_999}})
    with pytest.raises(Altered):
        fold(ledger.entries)
    ledger.entries.pop()
    ledger.add("coins_accepted", {**body, "prior_history": {"count": 1, "sum_sats": 5_000_000}})
    assert ledger.state.prior_history == prior
