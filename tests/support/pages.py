"""Statements and public pages for tests: the form alone, no signature in them is one."""

import hashlib
from dataclasses import replace

from custody.audit.publish.commitments import draw_salts
from custody.audit.publish.facts import PageSources, amounts_of, committed_facts, open_facts
from custody.audit.publish.page import PageFacts
from custody.audit.reserves.challenge import Challenge
from custody.audit.reserves.statement import ClaimedAddress, ClaimedCoin, Proof, ProofKind, Statement
from custody.bitcoin.address import address_of
from custody.bitcoin.amount import sats, sum_sats
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint
from custody.workflow.checkpoint import SignedHead
from custody_cli.page_check import attached_files, checkpoint_facts
from custody_cli.page_render import render_site
from support.ssh import SoftSigner

AMOUNTS = (328_372_12345678, 40_00000000, 12_50000000, 999_999, 50_000, 1_000, 546)
MEDIAN_TIME = 1_767_297_600
GENERATOR = "custody 0.1.0"


def digest(text: str) -> str:
    """Return a hash that is nobody's."""
    return hashlib.sha256(text.encode()).hexdigest()


def address(number: int, network: Network = Network.REGTEST) -> str:
    """Return an address that nobody can spend from."""
    found = address_of(b"\x00\x20" + bytes.fromhex(digest(f"address {number}")), network)
    assert found is not None
    return found


def sample_statement(
    network: Network = Network.REGTEST,
    *,
    amounts: tuple[int, ...] = AMOUNTS,
    unproved: tuple[int, ...] = (),
    holder: str = "Republic of Practice, National Reserve",
) -> Statement:
    """Return a statement over one address for each amount; `unproved` ones have no proof."""
    challenge = Challenge(
        network, holder, "Annual audit 2026, Court of Accounts", digest("nonce"), 118, digest("block"), 262
    )
    places = range(len(amounts))
    coins = tuple(
        ClaimedCoin(OutPoint(digest(f"coin {number}"), 0), sats(amounts[number]), address(number, network))
        for number in places
    )
    proofs = tuple(
        Proof(ProofKind.BIP322, (address(number, network),), "smpAAAA") for number in places if number not in unproved
    )
    claimed = tuple(ClaimedAddress(address(number, network), "receive", number) for number in places)
    return Statement(challenge, None, None, claimed, coins, sum_sats(amounts), proofs)


def sample_head(network: Network = Network.REGTEST, *, vault_id: str = digest("vault")) -> SignedHead:
    """Return a checkpoint that two officers signed with keys nobody knows."""
    head = SignedHead(
        vault_id=vault_id,
        network=str(network),
        journal_id=digest("journal")[:32],
        length=412,
        head=digest("head"),
        time="2026-01-01T20:00:00Z",
        governance="none",
        signatures=(),
    )
    statement = head.statement
    signed = {
        name: SoftSigner(seed=name).sign(statement.signed_bytes, namespace=statement.kind.namespace)
        for name in ("audrey", "bo")
    }
    return replace(head, signatures=tuple(signed.items()))


def sample_facts(statement: Statement, *, by_commitment: bool = False, heads: tuple[SignedHead, ...] = ()) -> PageFacts:
    """Return the facts of a page over a statement; salts are counted, not drawn."""
    shown = tuple(checkpoint_facts(f"checkpoint-{number}.json", head) for number, head in enumerate(heads, 1))
    sources = PageSources(GENERATOR, (statement,), MEDIAN_TIME, shown)
    if not by_commitment:
        return open_facts(sources)
    numbers = iter(range(1_000_000))
    salts = draw_salts(sources.network, amounts_of([statement]), lambda: digest(f"salt {next(numbers)}"))
    return committed_facts(sources, salts)


def sample_site(
    statement: Statement, *, by_commitment: bool = False, heads: tuple[SignedHead, ...] = ()
) -> dict[str, bytes]:
    """Return every file of a page over a statement."""
    facts = sample_facts(statement, by_commitment=by_commitment, heads=heads)
    return render_site(facts, attached_files([statement], heads, facts.disclosure))
