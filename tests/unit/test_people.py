"""Officers, quorums, allowlist entries, statements and changes: shapes, words, and what each refuses."""

import hashlib
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.documents.sshsig_keys import SshKeyType
from custody.errors import CheckFailed, CustodyError, InvalidInput, JsonValue, UpgradeNeeded
from custody.people.allowlist import SEARCHED, AllowEntry
from custody.people.approval import require_signed
from custody.people.change import Change, ChangeKind, Payload, policy_words
from custody.people.officer import Officer
from custody.people.quorum import MAX_ROLES, Quorum
from custody.people.statement import (
    GovernanceRef,
    Statement,
    StatementKind,
    attest_statement,
    checkpoint_statement,
    money,
    proposal_statement,
    quoted,
)
from custody.policy.load import load_policy
from support.governed import officer, policy_text, signer_of
from support.ledger import OUTSIDE, Ledger
from support.ssh import SoftSigner
from support.vaults import make_vault

VAULT = make_vault()
HASH = "ab" * 32
POLICY = load_policy(policy_text()).to_document()
COIN = OutPoint("cd" * 32, 3)
ENTRY = AllowEntry("grantee", OUTSIDE, None, "a \u202e note")


def refused(code: Code, build: object) -> str:
    with pytest.raises(CustodyError) as caught:
        build()  # type: ignore[operator]
    assert caught.value.code is code
    return caught.value.message


# Officers


@pytest.mark.parametrize("roles", [{"drafter"}, {"a"}, {"board-of-audit", "signer"}, {"x" * 32}])
def test_an_officer_reads_back(roles: set[str]) -> None:
    made = Officer("ann", frozenset(roles), signer_of("ann").public)
    assert Officer.from_document(made.to_document()) == made
    assert made.to_document()["roles"] == sorted(roles)


@pytest.mark.parametrize("role", ["", "Drafter", "1st", "-x", "x" * 33, "a b", "d\u00e9puty", "a_b"])
def test_a_role_is_a_plain_word(role: str) -> None:
    refused(Code.MALFORMED_DOCUMENT, lambda: Officer("ann", frozenset({role}), signer_of("ann").public))


def test_an_officer_has_a_role_and_a_name() -> None:
    refused(Code.MALFORMED_DOCUMENT, lambda: Officer("ann", frozenset(), signer_of("ann").public))
    refused(Code.NAME_INVALID, lambda: Officer("Ann", frozenset({"drafter"}), signer_of("ann").public))


@pytest.mark.parametrize(
    "edits",
    [
        {"roles": ["signer", "drafter"]},
        {"roles": ["drafter", "drafter"]},
        {"roles": "drafter"},
        {"roles": []},
        {"key": "ssh-ed25519 AAAA"},
        {"key": 7},
        {"name": None},
        {"extra": 1},
    ],
)
def test_an_officers_document_is_strict(edits: dict[str, JsonValue]) -> None:
    document = {**officer("ann").to_document(), **edits}
    with pytest.raises(InvalidInput):
        Officer.from_document(document)


# Quorums


def can_fill(quorum: Quorum, people: list[frozenset[str]]) -> bool:
    """Try every way to put people in places."""
    places = [role for role, count in quorum.roles for _ in range(count)]
    return any(
        all(role in roles for role, roles in zip(places, order, strict=False))
        for order in permutations(people, len(places))
    )


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 2), max_size=3),
    st.lists(st.frozensets(st.sampled_from("abc"), min_size=1), max_size=5),
)
def test_a_quorum_is_met_exactly_when_different_people_can_fill_its_places(
    roles: dict[str, int], people: list[frozenset[str]]
) -> None:
    quorum = Quorum.of(roles)
    assert quorum.is_met(people) is can_fill(quorum, people)
    assert (quorum.shortfall(people) == 0) is quorum.is_met(people)


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 3), min_size=1, max_size=3),
    st.lists(st.frozensets(st.sampled_from("abc"), min_size=1), max_size=4),
)
def test_a_shortfall_is_as_many_people_as_are_needed_at_least(
    roles: dict[str, int], people: list[frozenset[str]]
) -> None:
    quorum = Quorum.of(roles)
    anybody = frozenset("abc")
    short = quorum.shortfall(people)
    assert quorum.is_met([*people, *[anybody] * short])
    assert short == 0 or not quorum.is_met([*people, *[anybody] * (short - 1)])


@pytest.mark.parametrize(
    ("roles", "people", "short"),
    [
        ({"a": 2}, ["a"], 1),
        ({"a": 2, "b": 1}, ["b"], 2),
        ({"a": 1, "b": 1}, ["ab"], 1),
        ({"a": 1, "b": 1, "c": 1}, ["abc", "abc"], 1),
        ({"a": 1, "b": 1, "c": 2}, ["ab", "c", "c"], 1),
        ({"a": 1, "b": 1, "c": 1}, ["abc", "abc", "abc"], 0),
    ],
    ids=["one role", "one of two", "both together", "all three together", "two of three", "none"],
)
def test_a_shortfall_is_found_in_sets_of_every_size(roles: dict[str, int], people: list[str], short: int) -> None:
    assert Quorum.of(roles).shortfall([frozenset(one) for one in people]) == short


def test_quorums_in_words_and_documents() -> None:
    quorum = Quorum.of({"board": 1, "approver": 2})
    assert quorum.roles == (("approver", 2), ("board", 1))
    assert (quorum.total, quorum.words()) == (3, "2 approver and 1 board")
    assert Quorum.from_document(quorum.to_document(), "approvals") == quorum
    assert (Quorum.of({}).total, Quorum.of({}).words(), Quorum.of({}).is_met([])) == (0, "nobody", True)


@pytest.mark.parametrize(
    "value",
    [None, [], "approver", {"approver": 0}, {"approver": 101}, {"approver": True}, {"approver": "1"}, {"A": 1}],
)
def test_a_quorums_document_is_strict(value: JsonValue) -> None:
    refused(Code.MALFORMED_DOCUMENT, lambda: Quorum.from_document(value, "approvals"))


def test_a_quorum_has_ordered_roles_and_few_of_them() -> None:
    refused(Code.MALFORMED_DOCUMENT, lambda: Quorum((("b", 1), ("a", 1))))
    refused(Code.MALFORMED_DOCUMENT, lambda: Quorum((("a", 1), ("a", 1))))
    assert len(Quorum.of({f"r{number}": 1 for number in range(MAX_ROLES)}).roles) == MAX_ROLES
    refused(Code.MALFORMED_DOCUMENT, lambda: Quorum.of({f"r{number}": 1 for number in range(MAX_ROLES + 1)}))
    assert Quorum.of({"a": 100}).total == 100


# Allowlist entries


def test_an_entry_covers_its_address_alone() -> None:
    assert ENTRY.covers(OUTSIDE, Network.REGTEST)
    assert ENTRY.covers(OUTSIDE.upper(), Network.REGTEST)
    assert not ENTRY.covers(VAULT.first_address, Network.REGTEST)
    assert ENTRY.address_at(7, Network.REGTEST) == OUTSIDE
    assert AllowEntry.from_document(ENTRY.to_document()) == ENTRY


def test_an_entry_with_a_descriptor_covers_its_receive_addresses() -> None:
    entry = AllowEntry("recovery", None, VAULT.descriptor_text, None)
    entry.check(Network.REGTEST)
    assert entry.address_at(5, Network.REGTEST) == VAULT.address_at(0, 5)
    assert entry.covers(VAULT.address_at(0, SEARCHED - 1), Network.REGTEST)
    assert not entry.covers(VAULT.address_at(0, SEARCHED), Network.REGTEST)
    assert not entry.covers(VAULT.address_at(1, 0), Network.REGTEST)
    assert not entry.covers(OUTSIDE, Network.REGTEST)


@pytest.mark.parametrize("both", [(None, None), (OUTSIDE, VAULT.descriptor_text)])
def test_an_entry_is_an_address_or_a_descriptor(both: tuple[str | None, str | None]) -> None:
    refused(Code.MALFORMED_DOCUMENT, lambda: AllowEntry("grantee", *both, None))


@pytest.mark.parametrize("name", ["bc1q", "tb1x", "bcrt1qw508d6"])
def test_an_entry_is_not_named_like_an_address(name: str) -> None:
    refused(Code.NAME_INVALID, lambda: AllowEntry(name, OUTSIDE, None, None).check(Network.REGTEST))


def test_an_entry_is_of_the_vaults_network() -> None:
    ENTRY.check(Network.REGTEST)
    refused(Code.NETWORK_MISMATCH, lambda: ENTRY.check(Network.MAIN))
    with pytest.raises(CustodyError):
        AllowEntry("recovery", None, VAULT.descriptor_text, None).check(Network.MAIN)
    with pytest.raises(CustodyError):
        AllowEntry("recovery", None, VAULT.descriptor_text[:-1], None).check(Network.REGTEST)
    refused(Code.NAME_INVALID, lambda: AllowEntry("Grantee", OUTSIDE, None, None))


# Statements


def test_every_kind_has_a_namespace_of_its_own() -> None:
    assert len({kind.namespace for kind in StatementKind}) == len(StatementKind)
    assert StatementKind.APPROVE.namespace == "custody-approve/1"


def test_a_statement_is_ascii_lines_and_its_first_is_the_kind() -> None:
    statement = Statement(StatementKind.APPROVE, (("vault", "reserve"), ("reason", quoted("a\nb \u202e\u00e9"))))
    assert statement.text == 'custody-approve/1\nvault: reserve\nreason: "a\\nb \\u202e\\u00e9"\n'
    assert statement.signed_bytes == statement.text.encode("ascii")
    assert statement.digest == hashlib.sha256(statement.signed_bytes).hexdigest()
    assert quoted(None) == "none"
    assert quoted("none") == '"none"'


@pytest.mark.parametrize("value", ["", "two\nlines", "tab\t", "\u00e9", "\x7f", "\u202e"])
def test_a_line_is_printable_ascii(value: str) -> None:
    refused(Code.MALFORMED_DOCUMENT, lambda: Statement(StatementKind.APPROVE, (("vault", value),)))
    refused(Code.MALFORMED_DOCUMENT, lambda: Statement(StatementKind.APPROVE, ((value, "reserve"),)))


def test_an_approval_says_all_that_the_design_lists() -> None:
    ledger = Ledger(VAULT)
    ledger.receive(5_000_000)
    proposal = ledger.draft((OUTSIDE, 1_000_000), policy_digest=HASH, drafter="dora", reason="sale 17").proposal
    ref = GovernanceRef(3, "cd" * 32)
    text = proposal_statement(StatementKind.APPROVE, proposal, vault_name="reserve", governance=ref).text
    change, fee = proposal.change[0].value, proposal.fee
    assert change + fee + 1_000_000 == 5_000_000
    assert text.splitlines() == [
        "custody-approve/1",
        "vault: reserve",
        f"vault id: {VAULT.vault_id}",
        "network: regtest",
        f"proposal: {proposal.proposal_id}",
        "kind of payment: payment",
        "emergency path: none",
        f"unsigned txid: {proposal.unsigned_txid}",
        f"pays: 0.01000000 BTC (1000000 sat) to {OUTSIDE}",
        f"change total: {money(change)}",
        "input total: 0.05000000 BTC (5000000 sat)",
        "inputs: 1",
        f"fee: {money(fee)}",
        "replaces txid: none",
        'reason: "sale 17"',
        "drafter: dora",
        f"policy digest: {HASH}",
        f"governance: 3 {'cd' * 32}",
        f"nonce: {proposal.nonce}",
        f"expires: {proposal.expires}",
    ]
    bare = replace(proposal, policy_digest=None, drafter=None, policy_path="sweep", replaces_txid=HASH)
    words = proposal_statement(StatementKind.PROPOSE, bare, vault_name="reserve", governance=ref).text
    assert "\npolicy digest: none\n" in words and "\ndrafter: none\n" in words
    assert "\nemergency path: sweep\n" in words and f"\nreplaces txid: {HASH}\n" in words


def test_an_attestation_to_the_letter() -> None:
    attest = attest_statement(
        vault_name="reserve", vault_id=HASH, network="main", first_address="bc1qfirst", cosigner="cy"
    )
    assert attest.kind.namespace == "custody-attest/1"
    assert attest.text == (
        "custody-attest/1\n"
        "vault: reserve\n"
        "vault id: abababababababababababababababababababababababababababababababab\n"
        "network: main\n"
        "first address: bc1qfirst\n"
        "cosigner: cy\n"
        "I hold: a copy of the whole descriptor of this vault with every cosigner's key and origin\n"
    )


def test_a_checkpoint_to_the_letter() -> None:
    checkpoint = checkpoint_statement(
        vault_id=HASH,
        network="testnet4",
        journal_id="j-1",
        length=3,
        head="cd" * 32,
        time="2026-11-26T12:00:00Z",
        governance="0 x",
    )
    assert checkpoint.kind.namespace == "custody-checkpoint/1"
    assert checkpoint.text == (
        "custody-checkpoint/1\n"
        "vault id: abababababababababababababababababababababababababababababababab\n"
        "network: testnet4\n"
        "journal: j-1\n"
        "entries: 3\n"
        "head: cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\n"
        "time: 2026-11-26T12:00:00Z\n"
        "governance: 0 x\n"
    )


# Changes


def change(kind: ChangeKind, payload: Payload, **edits: object) -> Change:
    is_founding = kind is ChangeKind.FOUND
    fields: dict[str, object] = {
        "vault_id": VAULT.vault_id,
        "network": Network.REGTEST,
        "kind": kind,
        "number": 0 if is_founding else 4,
        "predecessor": None if is_founding else HASH,
        "payload": payload,
        "reason": "because",
        "proposed_by": "ann",
        "nonce": "0f" * 16,
        **edits,
    }
    return Change(**fields)  # type: ignore[arg-type]


CHANGES = {
    ChangeKind.FOUND: Payload(officers=(officer("ann"), officer("bo")), policy=POLICY),
    ChangeKind.ENROL: Payload(officers=(officer("ann"),)),
    ChangeKind.REVOKE: Payload(name="ann"),
    ChangeKind.ADOPT: Payload(policy=POLICY),
    ChangeKind.ALLOW: Payload(entry=ENTRY),
    ChangeKind.DISALLOW: Payload(name="grantee"),
    ChangeKind.UNFREEZE: Payload(outpoints=(COIN,)),
    ChangeKind.SUSPEND: Payload(),
    ChangeKind.RESUME: Payload(),
}


@pytest.mark.parametrize("kind", list(ChangeKind))
def test_every_kind_of_change_reads_back_and_has_statements(kind: ChangeKind) -> None:
    made = change(kind, CHANGES[kind])
    assert Change.from_document(made.to_document()) == made
    statement, rejection = made.statement("reserve"), made.rejection("reserve")
    assert statement.text.startswith(f"custody-{kind}/1\nvault: reserve\nvault id: {VAULT.vault_id}\n")
    assert rejection.text.startswith("custody-reject/1\n")
    assert f"\nrefuses: {kind}\n" in rejection.text
    assert f"\nchange: {made.change_id}\nnumber: {made.number}\nafter: {made.predecessor or 'none'}\n" in statement.text
    assert '\nreason: "because"\n' in statement.text
    assert statement.text.endswith(f"\nnonce: {'0f' * 16}\n")
    assert made.reference("reserve") == GovernanceRef(made.number, statement.digest)


def test_facts_say_what_changes() -> None:
    ann = officer("ann")
    line = f"ann (administrator, approver) ssh-ed25519 {ann.key.fingerprint}"
    assert change(ChangeKind.ENROL, CHANGES[ChangeKind.ENROL]).facts() == [("officer", line)]
    assert change(ChangeKind.ADOPT, CHANGES[ChangeKind.ADOPT]).facts() == [("policy", policy_words(POLICY))]
    assert policy_words(POLICY) == f"test-reserve, version 1, digest {load_policy(policy_text()).digest}"
    assert change(ChangeKind.REVOKE, CHANGES[ChangeKind.REVOKE]).facts() == [("removes", "ann")]
    assert change(ChangeKind.UNFREEZE, CHANGES[ChangeKind.UNFREEZE]).facts() == [("coin", str(COIN))]
    assert change(ChangeKind.ALLOW, CHANGES[ChangeKind.ALLOW]).facts() == [
        ("destination", "grantee"),
        ("address", OUTSIDE),
        ("descriptor", "none"),
        ("note", '"a \\u202e note"'),
    ]
    other = AllowEntry("recovery", None, VAULT.descriptor_text, None)
    facts = dict(change(ChangeKind.ALLOW, Payload(entry=other)).facts())
    assert (facts["address"], facts["descriptor"], facts["note"]) == ("none", VAULT.descriptor_text, "none")


def test_two_changes_that_differ_in_anything_have_other_ids() -> None:
    first = change(ChangeKind.REVOKE, Payload(name="ann"))
    others = [
        replace(first, reason=None),
        replace(first, proposed_by=None),
        replace(first, nonce="0e" * 16),
        replace(first, number=5),
        replace(first, predecessor="cd" * 32),
        replace(first, vault_id="cd" * 32),
        replace(first, network=Network.SIGNET),
        replace(first, payload=Payload(name="bo")),
        replace(first, kind=ChangeKind.DISALLOW),
    ]
    assert len({one.change_id for one in [first, *others]}) == 10


@pytest.mark.parametrize(
    ("kind", "edits"),
    [
        (ChangeKind.FOUND, {"number": 1}),
        (ChangeKind.FOUND, {"predecessor": HASH}),
        (ChangeKind.REVOKE, {"number": 0}),
        (ChangeKind.REVOKE, {"predecessor": None}),
        (ChangeKind.REVOKE, {"number": 0, "predecessor": None}),
    ],
)
def test_a_founding_is_the_first_and_nothing_else_is(kind: ChangeKind, edits: dict[str, object]) -> None:
    refused(Code.MALFORMED_DOCUMENT, lambda: change(kind, CHANGES[kind], **edits))


@pytest.mark.parametrize(
    "edits",
    [
        {"kind": "topple"},
        {"network": "mainnet"},
        {"network": 1},
        {"vault_id": "ab"},
        {"number": "4"},
        {"predecessor": "x"},
        {"proposed_by": "Ann"},
        {"nonce": "0f"},
        {"nonce": "G" * 32},
        {"reason": 5},
        {"payload": {}},
        {"payload": {"name": "ann", "more": 1}},
        {"payload": {"name": None}},
        {"payload": []},
        {"extra": 1},
    ],
)
def test_a_changes_document_is_strict(edits: dict[str, JsonValue]) -> None:
    document = {**change(ChangeKind.REVOKE, Payload(name="ann")).to_document(), **edits}
    with pytest.raises(InvalidInput):
        Change.from_document(document)


@pytest.mark.parametrize(
    "policy", [None, [], {"name": "x"}, {"name": "X", "version": 1}, {"name": "x", "version": "1"}]
)
def test_a_carried_policy_has_name_and_version(policy: JsonValue) -> None:
    with pytest.raises(InvalidInput):
        policy_words(policy)


def test_another_format_is_an_upgrade_or_no_change_at_all() -> None:
    document = change(ChangeKind.SUSPEND, Payload()).to_document()
    with pytest.raises(UpgradeNeeded):
        Change.from_document({**document, "format": "custody-change/2"})
    for tag in ("custody-vault/1", None, 7):
        refused(Code.UNKNOWN_FORMAT, lambda tag=tag: Change.from_document({**document, "format": tag}))
    refused(Code.UNKNOWN_FORMAT, lambda: Change.from_document([]))


# Signatures under statements


def test_a_signature_is_by_the_officers_own_key_over_these_bytes_and_this_kind() -> None:
    ann = officer("ann")
    statement = Statement(StatementKind.APPROVE, (("vault", "reserve"),))
    good = signer_of("ann").sign(statement.signed_bytes, namespace="custody-approve/1")
    require_signed(good, statement, ann)
    other = signer_of("bo").sign(statement.signed_bytes, namespace="custody-approve/1")
    assert "is enrolled with" in refused(Code.STATEMENT_OTHER_KEY, lambda: require_signed(other, statement, ann))
    wrong_kind = signer_of("ann").sign(statement.signed_bytes, namespace="custody-reject/1")
    refused(Code.SSHSIG_NAMESPACE, lambda: require_signed(wrong_kind, statement, ann))
    edited = Statement(StatementKind.APPROVE, (("vault", "reserved"),))
    refused(Code.SSHSIG_INVALID, lambda: require_signed(good, edited, ann))
    refused(Code.SSHSIG_MALFORMED, lambda: require_signed("", statement, ann))


def test_a_token_must_have_been_touched() -> None:
    token = SoftSigner(SshKeyType.SK_ED25519, seed="t")
    tess = Officer("tess", frozenset({"approver"}), token.public)
    statement = Statement(StatementKind.APPROVE, (("vault", "reserve"),))
    require_signed(token.sign(statement.signed_bytes, namespace="custody-approve/1"), statement, tess)
    absent = replace(token, flags=0).sign(statement.signed_bytes, namespace="custody-approve/1")
    with pytest.raises(CheckFailed):
        require_signed(absent, statement, tess)
