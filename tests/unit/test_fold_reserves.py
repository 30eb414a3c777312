"""The journal's record of statements of reserves: kept in order, strict in shape, without authority."""

import pytest

from custody.audit.fold import fold, fold_more
from custody.codes import Code
from custody.errors import Altered, JsonValue
from support.ledger import Ledger
from support.vaults import make_vault

BODY: dict[str, JsonValue] = {
    "statement": "11" * 32,
    "challenge": "22" * 32,
    "network": "regtest",
    "holder": "Ruritania",
    "purpose": "2026",
    "height": 120,
    "block_hash": "33" * 32,
    "total_sats": 5_000,
    "kinds": ["bip322"],
    "disclosed": "addresses",
    "signers": [],
}


def test_statements_stand_in_the_journal_s_order_and_change_nothing_else() -> None:
    ledger = Ledger(make_vault())
    before = ledger.state
    names: list[JsonValue] = [ledger.vault.cosigners[0].name]
    ledger.add("reserve_attested", BODY)
    ledger.add("reserve_attested", BODY | {"statement": "44" * 32, "signers": names})
    state = ledger.state
    assert [(one.statement, one.seq) for one in state.attested] == [("11" * 32, 1), ("44" * 32, 2)]
    assert state.attested[1].signers == tuple(names)
    assert (state.issued, state.governance, state.highest) == (before.issued, before.governance, before.highest)
    assert fold_more(fold(ledger.entries[:2]), ledger.entries[2:]) == state


@pytest.mark.parametrize(
    "change",
    [
        {"statement": "11"},
        {"network": "main"},
        {"disclosed": "everything"},
        {"signers": ["nobody"]},
        {"total_sats": -1},
        {"height": None},
        {"kinds": "bip322"},
        {"more": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_body_that_no_version_writes_is_an_alteration(change: dict[str, JsonValue]) -> None:
    ledger = Ledger(make_vault())
    ledger.add("reserve_attested", BODY | change)
    with pytest.raises(Altered) as altered:
        fold(ledger.entries)
    assert (altered.value.code, altered.value.details["seq"]) == (Code.JOURNAL_ALTERED, 1)
