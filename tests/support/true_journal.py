"""A long journal in which everything is true: addresses of the vault, coins at them, payments really signed and mined.

As `long_journal`, but for an auditor who derives and verifies all of it. The payments are one that was made
once, under a nonce of its own each, so that only the last one is on the chain; every signature of them is good.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from custody.audit.journal import GENESIS_PREV, Entry, EntryTip
from custody.bitcoin.address import address_of
from custody.bitcoin.hashing import sha256
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_roles import extract, finalize
from custody.errors import JsonValue
from custody.people.statement import StatementKind, proposal_statement
from custody.spend.expiry import expiry_after
from custody.spend.proposal import Proposal
from custody.spend.review_inputs import spend_scripts
from custody.spend.review_model import ReviewContext
from custody.spend.review_places import VaultScripts
from custody.vault.vault import Vault
from custody.workflow.proposal_access import collected_psbt
from custody.workflow.review_psbt import review_psbt
from support.governed import GovernedLedger, policy_text, signer_of, simulated_vault
from support.ledger import OUTSIDE, OUTSIDE_SCRIPT, START_MTP, block_hash, nonce

Event = tuple[str, dict[str, JsonValue]]

_START = 1_790_000_000
_BLOCK = 300
"""The chain's height before the first event."""


def true_journal(count: int, *, governed: bool = False) -> Iterator[Entry]:
    """Yield `count` entries, chained from the adoption on: in 100 one payment, 37 addresses, 18 observations.

    `governed` founds the vault first; each payment has its drafter's word and two approvals then.
    """
    previous, tip = None, None
    for seq, (kind, body) in enumerate(islice(_events(governed=governed), count)):
        previous = Entry.make(
            journal_id="7e" * 16,
            seq=seq,
            time=datetime.fromtimestamp(_START + seq * 900, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            tip=tip,
            actor="ann",
            kind=kind,
            body=body,
            request_id=nonce(seq),
            prev=GENESIS_PREV if previous is None else previous.hash,
        )
        yield previous
        if kind == "chain_observed":
            tip = EntryTip.from_document(body["tip"])


def _events(*, governed: bool) -> Iterator[Event]:
    ledger = GovernedLedger(simulated_vault())
    if governed:
        ledger.found(policy_text(unlisted="routine"))
    ledger.receive(5_000_000)
    before = len(ledger.entries)
    payment = _payment(ledger, before)
    yield from ((entry.kind, entry.body) for entry in ledger.entries[:before])
    issued, number, seen = 0, 0, 0
    while True:
        for step in range(92):
            number += 1
            if step % 5 in (0, 2):
                yield _issued(ledger.vault, issued)
                issued += 1
            elif step % 5 == 3:
                yield _observed(ledger.vault, number, issued - 1)
                seen = number
            else:
                yield _labelled(number)
        yield from _under_its_own_id(ledger, payment, seen)


def _payment(ledger: GovernedLedger, before: int) -> tuple[Event, ...]:
    """Make one payment, really signed and finalized."""
    policy = ledger.gov.policy
    terms = {} if policy is None else {"policy_digest": policy.digest, "drafter": "dora"}
    paid = ledger.propose(ledger.draft((OUTSIDE, 1_000_000), **terms))
    ledger.sign_really(paid, 1)
    ledger.sign_really(paid, 2)
    psbt: Psbt = collected_psbt(ledger.state.proposals[paid])
    answer = review_psbt(psbt, ledger.vault, ReviewContext())
    final = extract(finalize(psbt, spend_scripts(answer.inputs, VaultScripts.of(ledger.vault))))
    raw = final.serialize().hex()
    ledger.add("proposal_finalized", {"proposal_id": paid, "txid": final.txid, "transaction": raw})
    ledger.broadcast(paid, final)
    made = ledger.entries[before:]
    del ledger.entries[before:]
    return tuple((entry.kind, entry.body) for entry in made)


def _under_its_own_id(ledger: GovernedLedger, payment: tuple[Event, ...], number: int) -> Iterator[Event]:
    document = payment[0][1]["proposal"]
    expires = expiry_after(_time(number))
    proposal = replace(Proposal.from_document(document), nonce=nonce(number), expires=expires)
    for kind, body in payment:
        own = {**body, "proposal_id": proposal.proposal_id}
        yield kind, {**own, "proposal": proposal.to_document()} if kind == "proposal_drafted" else own
        if kind == "proposal_left" and ledger.gov.is_founded:
            yield from _statements(ledger, proposal)


def _statements(ledger: GovernedLedger, proposal: Proposal) -> Iterator[Event]:
    ref = ledger.gov.statements[-1]
    for kind, name in ((StatementKind.PROPOSE, "dora"), (StatementKind.APPROVE, "ann"), (StatementKind.APPROVE, "bo")):
        statement = proposal_statement(kind, proposal, vault_name=ledger.vault.name, governance=ref)
        yield (
            "proposal_statement",
            {
                "proposal_id": proposal.proposal_id,
                "statement": str(kind),
                "officer": name,
                "governance": {"number": ref.number, "digest": ref.digest},
                "signature": signer_of(name).sign(statement.signed_bytes, namespace=kind.namespace),
            },
        )


def _time(number: int) -> int:
    return START_MTP + (_BLOCK + number) * 600


def _issued(vault: Vault, index: int) -> Event:
    address = address_of(vault.deriver.at(0, index).script_pubkey, Network.REGTEST)
    return "address_issued", {"branch": "receive", "index": index, "address": address, "label": f"invoice {index}"}


def _labelled(number: int) -> Event:
    ref = f"{sha256(f'labelled {number}'.encode()).hex()}:0"
    return "label_set", {"type": "output", "ref": ref, "label": f"note {number}", "origin": None, "spendable": None}


def _observed(vault: Vault, number: int, index: int) -> Event:
    height = _BLOCK + number
    outputs: list[JsonValue] = [
        {"vout": 0, "value_sats": 1_000_000, "script_pubkey": _own(vault, index), "branch": 0, "index": index},
        {
            "vout": 1,
            "value_sats": 2_000_000,
            "script_pubkey": OUTSIDE_SCRIPT.hex(),
            "branch": None,
            "index": None,
        },
    ]
    seen: JsonValue = {
        "txid": sha256(f"inflow {number}".encode()).hex(),
        "block_hash": block_hash(height),
        "height": height,
        "fee_sats": None,
        "coinbase": False,
        "inputs": [],
        "outputs": outputs,
    }
    return "chain_observed", {
        "tip": {"height": height, "hash": block_hash(height), "median_time_past": _time(number)},
        "complete": True,
        "compared_with_utxo_set": False,
        "incomplete": [],
        "scanned": {"receive": 1000, "change": 1000},
        "transactions": [seen],
        "vanished_blocks": [],
        "gone": [],
    }


def _own(vault: Vault, index: int) -> str:
    return vault.deriver.at(0, index).script_pubkey.hex()
