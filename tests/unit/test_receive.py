"""Attested receive addresses: what the fold lets count, what a payer's list may say, what is a document."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.audit.receives import officers_needed
from custody.bitcoin.amount import Sats
from custody.bitcoin.descriptor import Branch
from custody.codes import Code
from custody.documents.sshsig_keys import SshKeyType
from custody.errors import CheckFailed, CustodyError, InvalidInput, JsonValue
from custody.people.known_officers import KnownOfficers, known_officers
from custody.people.receive import ReceiveTerms
from custody.people.receive_check import PayersQuestion, ReceiveVerdict, check_receive
from custody.people.receive_document import ReceiveDocument
from custody.people.receive_proof import proof_message
from custody.spend.proof import finish_message, message_proof, take_signatures
from custody.spend.review_model import Place
from custody_hardware.simulator import SimulatedDevice
from support.governed import GovernedLedger, officer, policy_text, signer_of, simulated_vault
from support.receives import NAMESPACE, document, signature_of, terms_of, vault
from support.ssh import SshKeygen

NAMES = ("dora", "ann", "bo")


def founded() -> GovernedLedger:
    """Return a founded vault with receive addresses 0 and 1 handed out."""
    ledger = GovernedLedger(simulated_vault())
    ledger.found(policy_text(governance_waiting="0h"))
    ledger.issue(0)
    ledger.issue(1)
    return ledger


def terms_for(ledger: GovernedLedger, **changes: Any) -> ReceiveTerms:
    head = ledger.gov.head
    assert head is not None
    fields = {"index": 1, "address": ledger.vault.address_at(0, 1), "governance": head, **changes}
    return terms_of(ledger.vault, **fields)


def draft(ledger: GovernedLedger, terms: ReceiveTerms) -> None:
    ledger.add("receive_drafted", {"terms": terms.to_document()})


def sign(ledger: GovernedLedger, terms: ReceiveTerms, name: str, signature: str | None = None) -> None:
    body: dict[str, JsonValue] = {
        "receive_id": terms.receive_id,
        "officer": name,
        "signature": signature or signature_of(name, terms),
    }
    ledger.add("receive_signed", body)


def vain(ledger: GovernedLedger) -> list[str]:
    return [one.words for one in ledger.gov.disregarded]


def test_terms_and_signatures_of_officers_count() -> None:
    ledger = founded()
    terms = terms_for(ledger)
    draft(ledger, terms)
    sign(ledger, terms, "dora")
    sign(ledger, terms, "ann")
    record = ledger.state.receives[terms.receive_id]
    assert [one.officer for one in record.in_force(ledger.gov)] == ["dora", "ann"]
    assert vain(ledger) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vault_id": "00" * 32}, "another vault or network"),
        ({"vault": "other"}, "another vault or network"),
        ({"index": 2}, "was not handed out"),
        ({"index": 0}, "was not handed out, or is another one"),
        ({"address": "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"}, "was not handed out, or is another one"),
        ({"drafter": "mallory"}, "is no officer in force"),
        ({"needed": 1}, "it asks for 1 officers, the rule is 2"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_terms_that_lie_count_for_nothing(changes: dict[str, Any], words: str) -> None:
    ledger = founded()
    draft(ledger, terms_for(ledger, **changes))
    assert ledger.state.receives == {}
    assert len(vain(ledger)) == 1
    assert words in vain(ledger)[0]


def test_an_address_that_a_false_entry_handed_out_cant_be_attested() -> None:
    ledger = founded()
    outside = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
    ledger.add("address_issued", {"branch": "receive", "index": 2, "address": outside, "label": None})
    draft(ledger, terms_for(ledger, index=2, address=outside))
    assert ledger.state.receives == {}
    assert "the vault's receive address 2 is another one" in vain(ledger)[0]


def test_terms_name_the_newest_governance() -> None:
    ledger = founded()
    terms = terms_for(ledger)
    number = terms.governance.number
    draft(ledger, replace(terms, governance=replace(terms.governance, digest="00" * 32)))
    draft(ledger, replace(terms, governance=replace(terms.governance, number=number + 1)))
    assert ledger.state.receives == {}
    assert len(vain(ledger)) == 2


def test_nobody_signs_twice_and_no_stranger_signs() -> None:
    ledger = founded()
    terms = terms_for(ledger)
    draft(ledger, terms)
    draft(ledger, terms)
    sign(ledger, terms, "dora")
    sign(ledger, terms, "dora")
    sign(ledger, terms, "mallory")
    sign(ledger, terms, "ann", signature_of("bo", terms))
    sign(ledger, replace(terms, nonce="f" * 32), "bo")
    assert [one.officer for one in ledger.state.receives[terms.receive_id].signatures] == ["dora"]
    assert len(vain(ledger)) == 5


def test_a_proof_counts_only_if_it_is_valid() -> None:
    ledger = founded()
    terms, other = terms_for(ledger), terms_for(ledger, nonce="e" * 32)
    draft(ledger, terms)
    draft(ledger, other)
    good = proof_of(ledger, terms)
    for receive_id, proof in (
        (other.receive_id, good),
        (terms.receive_id, good[:-8] + "AAAAAAA="),
        ("00" * 32, good),
        (terms.receive_id, good),
        (terms.receive_id, "smp"),
    ):
        ledger.add("receive_proved", {"receive_id": receive_id, "proof": proof})
    state = ledger.state
    assert (state.receives[terms.receive_id].proof, state.receives[other.receive_id].proof) == (good, None)
    assert len(vain(ledger)) == 4


def proof_of(ledger: GovernedLedger, terms: ReceiveTerms) -> str:
    proof = message_proof(ledger.vault, Place(Branch.RECEIVE, terms.index), proof_message(terms))
    signed = [SimulatedDevice(number, ledger.vault).sign(proof.serialize()) for number in (1, 3)]
    return finish_message(ledger.vault, take_signatures(ledger.vault, proof, signed))


def test_one_officer_is_enough_where_there_is_one() -> None:
    ledger = founded()
    assert officers_needed(ledger.gov) == 2
    assert officers_needed(replace(ledger.gov, officers={"ann": officer("ann")})) == 1


def known(*names: str, extra: str = "") -> KnownOfficers:
    text = "".join(f"{name} {signer_of(name).public.to_text()}\n" for name in names)
    return known_officers([text + extra], [], namespace=NAMESPACE)


@given(
    address_of=st.integers(0, 3),
    amount=st.none() | st.integers(1, 10**9),
    purpose=st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40).filter(str.strip),
    payer=st.none() | st.just("Pool X"),
    height=st.none() | st.integers(0, 10**6),
    nonce=st.integers(0, 3),
)
def test_any_other_terms_are_never_verified(
    address_of: int, amount: int | None, purpose: str, payer: str | None, height: int | None, nonce: int
) -> None:
    paid, signed = vault(), terms_of()
    other = terms_of(
        index=7 + address_of,
        address=paid.address_at(0, 7 + address_of),
        amount=None if amount is None else Sats(amount),
        purpose=purpose,
        payer=payer,
        expires_height=height,
        nonce=f"{nonce:032x}",
    )
    made = replace(document(signed, "dora", "ann"), terms=other)
    back = ReceiveDocument.from_bytes(made.to_bytes())
    assert back == made
    verdict = check_receive(back, PayersQuestion(known(*NAMES))).verdict
    assert (verdict is ReceiveVerdict.VERIFIED) is (other == signed)


NAMESPACES = {
    "custody-receive/1": True,
    "custody-*": True,
    "git,custody-receive/*": True,
    "*": True,
    "git, custody-receive/1": False,
    "custody-approve/1": False,
    "git": False,
    "custody.receive/1": False,
    "Custody-receive/1": False,
}
"""For what a line says that a key counts, and whether an attestation is that."""


@pytest.mark.parametrize("namespaces", NAMESPACES)
@pytest.mark.parametrize("gap", [" ", "\t", "  "])
def test_a_list_may_say_for_what_a_key_counts(namespaces: str, gap: str) -> None:
    key = signer_of("ann").public
    line = f'ann{gap}namespaces="{namespaces}"{gap}{key.to_text()} ann@office\r\n'
    found = known_officers(["# officers\n\n" + line], [], namespace=NAMESPACE)
    assert (found.find(key) is not None) is NAMESPACES[namespaces]


@pytest.mark.parametrize("namespaces", NAMESPACES)
def test_the_real_ssh_keygen_reads_a_list_as_we_do(namespaces: str, ssh_keygen: SshKeygen, tmp_path: Path) -> None:
    terms, key = terms_of(), signer_of("ann").public
    signers, signature = tmp_path / "allowed_signers", tmp_path / "text.sig"
    signers.write_text(f'ann namespaces="{namespaces}" {key.to_text()}\n')
    signature.write_text(signature_of("ann", terms))
    command = [ssh_keygen.program, "-Y", "verify", "-f", signers, "-I", "ann", "-n", NAMESPACE, "-s", signature]
    done = subprocess.run(command, input=terms.statement.signed_bytes, check=False, capture_output=True)
    assert (done.returncode == 0) is NAMESPACES[namespaces]


def test_a_private_key_is_refused_and_not_repeated(ssh_keygen: SshKeygen) -> None:
    private = ssh_keygen.key(SshKeyType.ED25519, "receive").read_text()
    for arguments in (([private], []), ([], [private])):
        with pytest.raises(InvalidInput) as caught:
            known_officers(*arguments, namespace=NAMESPACE)
        assert private.splitlines()[1][:20] not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "*@bank.example KEY",
        "ann,bo KEY",
        "!ann KEY",
        "ann cert-authority KEY",
        'ann valid-before="20300101" KEY',
        'ann namespaces="custody-receive/1",valid-after="20200101" KEY',
        'ann namespaces="!git,custody-*" KEY',
        'ann namespaces="custody-receive/?" KEY',
        'ann namespaces="**" KEY',
        'ann namespaces="custody-receive/1"KEY',
        "ann ssh-dss AAAA",
        "ann",
        "KEY",
        "a\u202enn KEY",
    ],
)
def test_what_cant_be_judged_in_a_list_is_refused(line: str) -> None:
    text = line.replace("KEY", signer_of("ann").public.to_text())
    with pytest.raises(InvalidInput) as caught:
        known_officers([text], [], namespace=NAMESPACE)
    assert caught.value.code in (Code.MALFORMED_DOCUMENT, Code.SSH_KEY_MALFORMED, Code.SSH_KEY_UNSUPPORTED)


def test_keys_without_names_are_told_by_fingerprint() -> None:
    key = signer_of("ann").public
    by_line = known_officers([], [key.to_text()], namespace=NAMESPACE)
    assert by_line == known_officers([], [key.fingerprint], namespace=NAMESPACE)
    assert (by_line.people, by_line.find(key) is not None) == (1, True)
    # The same key in a list brings its name, and is no second person.
    both = known_officers([f"ann {key.to_text()}"], [key.fingerprint], namespace=NAMESPACE)
    assert [one.person for one in both.keys] == ["ann"]
    for text in ("SHA256:", "SHA256:" + "A" * 42, "SHA256:" + "A" * 44, "SHA256:" + "!" * 43, "MD5:00:11"):
        with pytest.raises(InvalidInput):
            known_officers([], [text], namespace=NAMESPACE)


@pytest.mark.parametrize("separator", ["\u2028", "\x0b", "\x0c", "\x85", "\x1c", "\r"])
def test_nothing_but_a_line_feed_ends_a_comment(separator: str) -> None:
    line = f"# asked on the phone{separator}ann {signer_of('ann').public.to_text()}\n"
    assert known_officers([line], [], namespace=NAMESPACE).keys == ()


def test_one_key_under_two_names_is_refused() -> None:
    key = signer_of("ann").public.to_text()
    with pytest.raises(CheckFailed) as caught:
        known_officers([f"ann {key}\nanna {key}\n"], [], namespace=NAMESPACE)
    assert caught.value.code is Code.APPROVER_DUPLICATE


@pytest.mark.parametrize(
    "edits",
    [
        {"format": "custody-receive/2"},
        {"format": "custody-vault/1"},
        {"more": 1},
        {"signatures": {}},
        {"signatures": [{"officer": "../../etc", "signature": "x"}]},
        {"signatures": [{"officer": "ann"}]},
        {"signatures": [{"officer": "ann", "signature": "x"}] * 21},
        {"network": "mainnet"},
        {"network": "main"},
        {"address": "bcrt1qqq"},
        {"amount_sats": 0},
        {"amount_sats": -1},
        {"amount_sats": 2_100_000_000_000_001},
        {"purpose": ""},
        {"purpose": "   "},
        {"purpose": "x" * 201},
        {"payer": ""},
        {"needed": 0},
        {"needed": 21},
        {"index": 2**31},
        {"expires_height": 500_000_000},
        {"nonce": "0" * 31},
        {"nonce": "G" * 32},
        {"vault": "Reserve"},
        {"statement": "custody-receive/1\n"},
        {"proof": ""},
        {"proof": "a b"},
        {"proof": "smp\u00e9"},
        {"proof": "a" * 20_001},
    ],
    ids=lambda edits: "-".join(f"{key}={str(value)[:12]}" for key, value in edits.items()),
)
def test_what_is_no_document_is_refused(edits: dict[str, Any]) -> None:
    fields = json.loads(document(terms_of(), "dora").to_bytes()) | edits
    with pytest.raises(CustodyError) as caught:
        ReceiveDocument.from_bytes(json.dumps(fields).encode())
    assert caught.value.exit_code == 6


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_a_strangers_file_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    fields = json.loads(document(terms_of(), "dora").to_bytes())
    for key in data.draw(st.lists(st.sampled_from(sorted(fields)), max_size=3)):
        fields[key] = data.draw(JSON)
    made = json.dumps(fields).encode()
    cut = data.draw(st.integers(0, 3)) and data.draw(st.integers(0, len(made)))
    try:
        found = ReceiveDocument.from_bytes(made[: len(made) - cut])
    except CustodyError as refused:
        assert refused.exit_code == 6
    else:
        assert ReceiveDocument.from_bytes(found.to_bytes()) == found


@given(st.text(max_size=200) | st.from_regex(r'[a-z*!]{1,5} [a-z="*,/!-]{0,30} ?ssh-ed25519 [A-Za-z0-9+/=]{0,80}'))
def test_a_list_is_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        known_officers([text], [text], namespace=NAMESPACE)
    except CustodyError as refused:
        assert refused.exit_code == 6


def test_the_page_shows_the_very_statement() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "formats" / "receive.md").read_text()
    shown = page.split("## What is signed\n```\n")[1].split("```")[0].splitlines()
    made = terms_of().statement.text.splitlines()
    assert [line.partition(":")[0] for line in shown] == [line.partition(":")[0] for line in made]
