"""Bundles for tests: an honest one from a governed ledger, and the hand of whoever can edit every byte of it."""

import copy
import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from custody.audit.bundle import Bundle, TimedEntry
from custody.audit.bundle_claims import CoinClaim, OwnAddressClaim
from custody.audit.journal import Entry
from custody.audit.journal_fields import hash_of
from custody.audit.trust_pin import TrustPin
from custody.bitcoin.psbt import Psbt
from custody.documents.canonical_json import canonical
from custody.errors import JsonValue
from custody.people.statement import StatementKind, checkpoint_statement, proposal_statement
from custody.spend.proposal import Proposal
from custody.vault.formats import vault_file
from custody.vault.vault import Vault
from custody.workflow.make_bundle import make_bundle
from custody.workflow.office import Office
from custody.workflow.pin_governance import seen_in
from custody.workflow.proposal_access import collected_psbt
from custody.workspace.layout import Workspace
from support.cli import Result, run
from support.governed import GovernedLedger, signer_of
from support.ledger import OUTSIDE
from support.review_cases import simulated_vault

VAULT = simulated_vault(2, 3)
COIN = 50_000_000
PAID = 10_000_000


def founded(vault: Vault = VAULT, policy: str | None = None) -> GovernedLedger:
    """Return a founded vault with four coins; always the same."""
    return twin_of(_founded(vault, policy))


def twin_of(ledger: GovernedLedger) -> GovernedLedger:
    """Return a ledger with the same past, which goes its own way from here on."""
    twin = copy.copy(ledger)
    twin.entries, twin.transactions = list(ledger.entries), dict(ledger.transactions)
    return twin


@functools.cache
def _founded(vault: Vault, policy: str | None) -> GovernedLedger:
    ledger = GovernedLedger(vault)
    ledger.mine(1)
    ledger.found(policy)
    ledger.receive(COIN, COIN, COIN, COIN)
    return ledger


def drafted(ledger: GovernedLedger, *payees: tuple[str, int | None], **fields: object) -> str:
    """Draft a payment as dora, sign it as hers, and return its id."""
    policy = ledger.gov.policy
    assert policy is not None
    named = payees or ((OUTSIDE, PAID),)
    proposal_id = ledger.propose(ledger.draft(*named, policy_digest=policy.digest, drafter="dora", **fields))
    ledger.sign_proposal(proposal_id, StatementKind.PROPOSE, "dora")
    return proposal_id


def approved(ledger: GovernedLedger, *names: str, **fields: object) -> str:
    """Draft a payment and let these officers approve it: two approvers and the board by default."""
    proposal_id = drafted(ledger, **fields)
    ledger.sign_proposal(proposal_id, StatementKind.APPROVE, *(names or ("ann", "bo", "cy")))
    return proposal_id


def office_of(ledger: GovernedLedger) -> Office:
    """Return an office at the ledger's head, without a workspace."""
    return Office(Workspace(Path("/nowhere")), ledger.vault, tuple(ledger.entries), ledger.state)


def bundle_of(ledger: GovernedLedger, proposal_id: str) -> Bundle:
    """Return the bundle of a proposal."""
    office = office_of(ledger)
    record = office.state.proposals[proposal_id]
    return make_bundle(office, record, collected_psbt(record))


def forged(ledger: GovernedLedger, proposal: Proposal, psbt: Psbt, *approvers: str, replaced: str = "") -> Bundle:
    """Return the bundle of a proposal that its drafter and these approvers signed, whatever an office thinks of it.

    `replaced` is the id of a proposal in the ledger whose own bundle's statements go in.
    """
    twin = twin_of(ledger)
    base = bundle_of(twin, drafted(twin)) if not replaced else bundle_of(ledger, replaced)
    assert ledger.gov.head is not None and proposal.drafter is not None
    ref = ledger.gov.head
    made: list[TimedEntry] = []
    for name in (proposal.drafter, *approvers):
        kind = StatementKind.APPROVE if made else StatementKind.PROPOSE
        statement = proposal_statement(kind, proposal, vault_name=ledger.vault.name, governance=ref)
        body: dict[str, JsonValue] = {
            "proposal_id": proposal.proposal_id,
            "statement": str(kind),
            "officer": name,
            "governance": {"number": ref.number, "digest": ref.digest},
            "signature": signer_of(name).sign(statement.signed_bytes, namespace=kind.namespace),
        }
        entry = Entry.make(
            journal_id="test",
            seq=made[-1].entry.seq + 1 if made else base.entries[-1].entry.seq + 9,
            time="2030-01-01T00:00:00Z",
            tip=None,
            actor=None,
            kind="proposal_statement",
            body=body,
            request_id=f"f{len(made)}",
            prev=made[-1].entry.hash if made else "0" * 64,
        )
        made.append(TimedEntry(entry, base.claims.time))
    coins = tuple(CoinClaim(outpoint, 6, None, is_frozen=False) for outpoint in proposal.inputs)
    own = tuple(OwnAddressClaim(one.address, was_used=False, balance_after=one.value) for one in proposal.change)
    return replace(
        base,
        psbt=psbt,
        proposal=proposal,
        replaced=(*base.replaced, base.proposal) if replaced else (),
        statements=(*(base.statements if replaced else ()), *made),
        claims=replace(base.claims, coins=coins, own_addresses=own, spends=(), signing_start=None),
    )


def pin_of(bundle: Bundle) -> TrustPin:
    """Return the pin of somebody who trusts this very bundle."""
    return seen_in(bundle)[0]


def checkpoint(ledger: GovernedLedger, name: str, length: int | None = None, false_head: str | None = None) -> None:
    """Let an officer sign the journal's head, or that of its first `length` entries, or a head that it never had."""
    count, gov = length or len(ledger.entries), ledger.gov
    assert gov.head is not None
    head = ledger.entries[count - 1]
    signed = false_head or head.hash
    statement = checkpoint_statement(
        vault_id=ledger.vault.vault_id,
        network=str(ledger.vault.network),
        journal_id=head.journal_id,
        length=count,
        head=signed,
        time=head.time,
        governance=gov.head.words(),
    )
    signature = signer_of(name).sign(statement.signed_bytes, namespace=statement.kind.namespace)
    body = {"officer": name, "entries": count, "head": signed, "time": head.time, "governance": gov.head.words()}
    ledger.add("checkpoint_signed", {**body, "signature": signature})


def edited(bundle: Bundle, edit: Callable[[Any], object]) -> bytes:
    """Return the bundle after `edit` of its parsed document, with every hash of an entry made good again."""
    document = copy.deepcopy(json.loads(bundle.to_bytes()))
    edit(document)
    return sealed(document)


def sealed(document: Any) -> bytes:
    """Return a bundle's document as bytes; what only hashes protect is made good, as a forger would."""
    items = sorted((*document["governance"], *document["statements"]), key=lambda item: int(item["entry"]["seq"]))
    previous = None
    for item in items:
        entry = item["entry"]
        if previous is not None and entry["seq"] == previous["seq"] + 1:
            entry["prev"] = previous["hash"]
        entry["hash"] = hash_of(canonical({key: value for key, value in entry.items() if key != "hash"}))
        previous = entry
    return canonical(document) + b"\n"


@dataclass(frozen=True)
class Signer:
    """A signer's own folder: the vault file, and a pin if there is one."""

    folder: Path
    vault: Vault = VAULT

    def trust(self, pin: TrustPin) -> None:
        """Put a pin there as it stands."""
        (self.folder / "trust.yaml").write_bytes(pin.to_bytes())

    def review(self, bundle: bytes | Bundle, *options: str | Path, pinned: bool = True) -> Result:
        """Run `custody psbt review --json` on a bundle."""
        return self.run(["psbt", "review"], bundle, *options, "--json", pinned=pinned)

    def run(
        self,
        command: Sequence[str],
        bundle: bytes | Bundle,
        *options: str | Path,
        pinned: bool = True,
        stdin: str | None = None,
    ) -> Result:
        """Run a signer's command on a bundle."""
        path, vault_path = self.folder / "payment.bundle", self.folder / "vault.yaml"
        path.write_bytes(bundle if isinstance(bundle, bytes) else bundle.to_bytes())
        vault_path.write_text(vault_file.write(self.vault))
        pin = ["--pin", self.folder / "trust.yaml"] if pinned else []
        return run([*command, path, "--vault-file", vault_path, *pin, *options], stdin)

    def refused(self, bundle: bytes | Bundle, *options: str | Path, pinned: bool = True) -> set[str]:
        """Review a bundle that has to be refused with exit 3, and return the codes of what refuses."""
        result = self.review(bundle, *options, pinned=pinned)
        assert result.exit_code == 3, (result.exit_code, result.stdout, result.stderr)
        assert result.json["verdict"] == "refused"
        return {str(one["code"]) for one in result.json["findings"] if one["severity"] == "refuse"}
