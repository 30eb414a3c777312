"""Drafts: complete PSBTs, deterministic transactions, sizes that no real signature exceeds."""

from dataclasses import replace

import pytest

from custody.bitcoin.amount import FeeRate, Sats
from custody.bitcoin.descriptor import Branch, ScriptType
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.transaction import Transaction, TxOutput
from custody.codes import Code
from custody.errors import CheckFailed, Conflict, InvalidInput, UpgradeNeeded, UsageError
from custody.ports import ChainCoin
from custody.spend.draft import RBF_SEQUENCE, TX_VERSION
from custody.spend.proposal import Proposal
from custody.spend.psbt_builder import build_psbt, final_txid, stripped_txid, verify_draft
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from support.ledger import OUTSIDE, OUTSIDE_SCRIPT, RATE, Ledger, nonce
from support.signing_vault import SigningVault
from support.vaults import NAMES, make_vault

BOTH = pytest.mark.parametrize("script_type", list(ScriptType))


def funded(script_type: ScriptType = ScriptType.WSH_SORTEDMULTI) -> Ledger:
    ledger = Ledger(make_vault(2, 3, script_type=script_type))
    ledger.receive(5_000_000, 3_000_000)
    ledger.receive(700_000, index=1)
    return ledger


@BOTH
def test_a_draft_is_complete_for_every_device(script_type: ScriptType) -> None:
    ledger = funded(script_type)
    drafted = ledger.draft((OUTSIDE, 1_000_000))
    psbt = ledger.psbt_of(drafted)
    vault = ledger.vault
    assert (psbt.version, psbt.tx_version, psbt.locktime) == (0, TX_VERSION, ledger.height)
    assert Psbt.parse(psbt.serialize()).serialize() == psbt.serialize()
    keys = {xpub.key78: xpub.origin for xpub in psbt.global_xpubs}
    assert keys == {one.key.key.to_bytes78(vault.network): one.key.origin for one in vault.cosigners}
    for psbt_input in psbt.inputs:
        parent = psbt_input.non_witness_utxo
        assert parent is not None
        assert parent.txid == psbt_input.outpoint.txid
        assert psbt_input.witness_utxo == parent.outputs[psbt_input.outpoint.vout]
        assert psbt_input.sequence == RBF_SEQUENCE
        assert psbt_input.sighash_type is None
        assert len(psbt_input.derivations) == 3
        assert (psbt_input.redeem_script is not None) is (script_type is ScriptType.SH_WSH_SORTEDMULTI)
    change = [output for output in psbt.outputs if output.derivations]
    assert len(change) == 1
    derived = vault.deriver.at(Branch.CHANGE, 0)
    assert (change[0].script_pubkey, change[0].witness_script) == (derived.script_pubkey, derived.witness_script)
    assert {one.origin.path[-2:] for one in change[0].derivations} == {(1, 0)}
    payee = next(output for output in psbt.outputs if not output.derivations)
    assert (payee.value, payee.script_pubkey) == (1_000_000, OUTSIDE_SCRIPT)


def test_equal_requests_give_equal_proposals_and_another_nonce_another_id() -> None:
    ledger = funded()
    first = ledger.draft((OUTSIDE, 1_000_000), nonce=nonce(1)).proposal
    again = ledger.draft((OUTSIDE, 1_000_000), nonce=nonce(1)).proposal
    other = ledger.draft((OUTSIDE, 1_000_000), nonce=nonce(2)).proposal
    assert first == again
    assert first.proposal_id == again.proposal_id != other.proposal_id


def test_the_place_of_the_change_follows_from_the_nonce_alone() -> None:
    ledger = funded()
    places = {
        next(
            place
            for place, output in enumerate(
                ledger.draft((OUTSIDE, 1_000_000), nonce=nonce(number)).proposal.unsigned_transaction.outputs
            )
            if output.script_pubkey != OUTSIDE_SCRIPT
        )
        for number in range(20)
    }
    assert places == {0, 1}


def test_all_sends_what_the_others_and_the_fee_leave() -> None:
    ledger = funded()
    own = ledger.vault.address_at(Branch.RECEIVE, 3)
    drafted = ledger.draft((OUTSIDE, 1_000_000), (own, None))
    proposal = drafted.proposal
    assert proposal.change == ()
    assert sum(one.value for one in proposal.destinations) + proposal.fee == 8_700_000
    assert proposal.destinations[0].value == 1_000_000
    with pytest.raises(UsageError):
        ledger.draft((OUTSIDE, None), (own, None))


def test_refuses_dust_and_foreign_networks() -> None:
    ledger = funded()
    with pytest.raises(InvalidInput) as dust:
        ledger.draft((OUTSIDE, 293))
    assert dust.value.code is Code.DUST_OUTPUT
    assert ledger.draft((OUTSIDE, 294))
    with pytest.raises(InvalidInput) as foreign:
        ledger.draft(("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", 10_000))
    assert foreign.value.code is Code.NETWORK_MISMATCH


@BOTH
def test_no_signed_transaction_is_larger_than_drafted(script_type: ScriptType) -> None:
    keys = SigningVault(threshold=2, key_count=3, script_type=script_type)
    cosigners = tuple(Cosigner(name, key) for name, key in zip(NAMES, keys.descriptor.keys, strict=False))
    vault = Vault("signing", keys.network, keys.descriptor, cosigners)
    ledger = Ledger(vault)
    for number in range(4):
        ledger.receive(900_000 + number, index=number)
    drafted = ledger.draft((OUTSIDE, 2_500_000))
    unsigned = drafted.proposal.unsigned_transaction
    coins = {coin.outpoint: coin for coin in drafted.coins}
    spent = [
        ChainCoin(one.outpoint, coins[one.outpoint].value, coins[one.outpoint].script_pubkey, 1, False)
        for one in unsigned.inputs
    ]
    outputs = [(output.value, output.script_pubkey) for output in unsigned.outputs]
    signed = keys.spend(spent, outputs, sequence=RBF_SEQUENCE, locktime=unsigned.locktime)
    assert stripped_txid(signed) == drafted.proposal.unsigned_txid
    assert signed.txid == final_txid(ledger.psbt_of(drafted))
    assert (signed.txid == drafted.proposal.unsigned_txid) is (script_type is ScriptType.WSH_SORTEDMULTI)
    signatures = len(spent) * vault.threshold
    assert signed.vsize <= drafted.selection.vsize <= signed.vsize + signatures
    assert FeeRate.of(drafted.proposal.fee, signed.vsize) >= RATE


def test_what_was_built_is_checked_against_the_proposal() -> None:
    ledger = funded()
    drafted = ledger.draft((OUTSIDE, 1_000_000))
    psbt, proposal, vault = ledger.psbt_of(drafted), drafted.proposal, ledger.vault

    def refused(changed: Psbt, against: Proposal = proposal, owner: Vault = vault) -> Code:
        with pytest.raises(CheckFailed) as caught:
            verify_draft(changed, against, owner)
        return caught.value.code

    verify_draft(psbt, proposal, vault)
    without = psbt.with_input(0, replace(psbt.inputs[0], non_witness_utxo=None))
    assert refused(without) is Code.PREVTX_TXID_MISMATCH
    higher = psbt.with_output(0, replace(psbt.outputs[0], value=Sats(psbt.outputs[0].value - 1)))
    assert refused(higher) is Code.DIFFERENT_TRANSACTION
    assert refused(psbt, replace(proposal, fee=Sats(proposal.fee + 1))) is Code.UTXO_MISMATCH
    assert refused(psbt, replace(proposal, fee_rate=FeeRate(RATE.sat_kvb + 100))) is Code.FEE_BELOW_RELAY
    assert refused(psbt, owner=make_vault(2, 3, seed=9)) is Code.VAULT_MISMATCH
    # Change that the vault does not derive at the index it claims.
    moved = replace(proposal, change=(replace(proposal.change[0], index=1),))
    assert refused(psbt, moved) is Code.CHANGE_NOT_OURS


def test_the_previous_transactions_must_be_the_real_ones() -> None:
    ledger = funded()
    drafted = ledger.draft((OUTSIDE, 1_000_000))
    coins = {str(coin.outpoint): coin for coin in drafted.coins}
    outpoint = drafted.proposal.inputs[0]
    real = ledger.transactions[outpoint.txid]
    richer = Transaction(2, real.inputs, (TxOutput(Sats(9_000_000), real.outputs[0].script_pubkey),), 0)
    for previous in ({}, {outpoint.txid: richer}):
        with pytest.raises(CheckFailed) as caught:
            build_psbt(drafted.proposal, ledger.vault, coins, previous)
        assert caught.value.code is Code.PREVTX_TXID_MISMATCH
    dearer = {text: replace(coin, value=Sats(coin.value + 1)) for text, coin in coins.items()}
    with pytest.raises(CheckFailed) as differs:
        build_psbt(drafted.proposal, ledger.vault, dearer, ledger.transactions)
    assert differs.value.code is Code.UTXO_MISMATCH


def test_a_move_to_ourselves_carries_its_derivations() -> None:
    ledger = funded()
    script = ledger.vault.deriver.at(0, 4).script_pubkey
    drafted = ledger.draft((ledger.vault.address_at(0, 4), None))
    coins = {str(coin.outpoint): coin for coin in drafted.coins}
    psbt = build_psbt(drafted.proposal, ledger.vault, coins, ledger.transactions, {script: (0, 4)})
    assert len(psbt.outputs[0].derivations) == 3
    with pytest.raises(CheckFailed):
        build_psbt(drafted.proposal, ledger.vault, coins, ledger.transactions, {script: (0, 5)})


def test_a_receive_only_vault_drafts_nothing() -> None:
    ledger = funded()
    vault = ledger.vault
    descriptor = replace(vault.descriptor, branches=(0,))
    ledger.vault = replace(vault, descriptor=descriptor, receive_only=True)
    with pytest.raises(Conflict) as caught:
        ledger.draft((OUTSIDE, 1_000_000))
    assert caught.value.code is Code.RECEIVE_ONLY_VAULT


def test_the_document_comes_back_as_the_same_proposal() -> None:
    ledger = funded()
    proposal = ledger.draft((OUTSIDE, 1_000_000), reason="rent", drafter="ann").proposal
    again = Proposal.from_document(proposal.to_document())
    assert again == proposal
    assert again.proposal_id == proposal.proposal_id


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fee_sats", -1),
        ("fee_sats", True),
        ("nonce", "AA" * 16),
        ("kind", "gift"),
        ("network", "mainnet"),
        ("unsigned_txid", "00" * 32),
        ("inputs", []),
        ("destinations", []),
        ("expires", "2030-02-30T00:00:00Z"),
        ("expires", "2030-01-01 00:00:00"),
        ("change", [{"branch": "change", "index": 0}]),
        ("policy_digest", "x"),
        ("extra", None),
    ],
)
def test_a_document_that_is_wrong_or_contradicts_itself_is_refused(key: str, value: object) -> None:
    document = funded().draft((OUTSIDE, 1_000_000)).proposal.to_document()
    with pytest.raises(InvalidInput):
        Proposal.from_document({**document, key: value})  # type: ignore[dict-item]


def test_another_format_is_not_guessed_at() -> None:
    document = funded().draft((OUTSIDE, 1_000_000)).proposal.to_document()
    with pytest.raises(UpgradeNeeded):
        Proposal.from_document({**document, "format": "custody-proposal/2"})
    with pytest.raises(InvalidInput) as caught:
        Proposal.from_document({**document, "format": "other"})
    assert caught.value.code is Code.UNKNOWN_FORMAT
    document.pop("reason")
    with pytest.raises(InvalidInput):
        Proposal.from_document(document)
