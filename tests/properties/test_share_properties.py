"""Nothing that identifies us leaves in a shared policy or template: planted words are looked for and change nothing."""

import base64
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.audit.signers import Signers
from custody.bitcoin.keys import HARDENED
from custody.documents.strict_yaml import dump, load
from custody.errors import JsonValue
from custody.people.officer import KNOWN_ROLES, Officer
from custody.policy.check import check_policy
from custody.policy.limit import MAX_DURATION_S, parse_duration
from custody.policy.load import load_policy, policy_from_document
from custody.policy.model import SpendPolicy
from custody.policy.share import NAME, TIME_ZONE, RoleNames, duration, shared_policy
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from custody.workflow.share import policy_to_share, template_to_share
from custody.workflow.vault_template import TemplateSource
from custody_hardware.device_profiles import load_profiles
from custody_policies import templates
from support.governed import GovernedLedger, officer, policy_text
from support.random_policies import random_document
from support.vaults import make_keys, vault_of

NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)
ORDINARY = ("fee", "max", "custody", "policy", "key", "day", "approver", "vault", "cosigner", "path", "name", "tier-01")
"""Names that are also words of the language that is written."""


def marks(secret: str) -> set[str]:
    """Return a secret in the disguises in which it could get through, lower-case."""
    raw = secret.encode()
    encoded = {base64.b64encode(b"\x00" * shift + raw).decode()[4 * (shift > 0) : -4] for shift in range(3)}
    return {one.lower() for one in (secret, secret[::-1], raw.hex(), raw[::-1].hex(), *encoded) if len(one) >= 6}


def assert_absent(secrets: set[str], text: str) -> None:
    lowered = text.lower()
    found = {secret for secret in secrets for mark in marks(secret) if mark in lowered}
    assert not found


def renamed(document: JsonValue, words: list[str]) -> JsonValue:
    """Return a policy whose every own name is another, in the same alphabetical order of roles."""
    assert isinstance(document, dict)
    names = iter(words)
    roles: dict[str, str] = {}
    known: dict[tuple[str, str], str] = {}

    def name(kind: str, old: str) -> str:
        return known.setdefault((kind, old), next(names))

    def quorum(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        for role in value:
            if role not in KNOWN_ROLES:
                roles.setdefault(role, role + next(names))
        return {roles.get(role, role): count for role, count in value.items()}

    made = json.loads(json.dumps(document))
    made |= {"name": next(names), "version": 77, "time_zone": "Pacific/Pitcairn"}
    made["governance"]["approvals"] = quorum(made["governance"]["approvals"])
    made["coins"]["keep_apart"] = [f"{number:02d}{next(names)}" for number in range(len(made["coins"]["keep_apart"]))]
    payment = made.get("payment")
    for tier in payment["tiers"] if payment else ():
        tier["name"] = name("tier", tier["name"])
        tier["approvals"] = quorum(tier["approvals"])
    if payment and payment["unlisted"] != "deny":
        payment["unlisted"] = name("tier", payment["unlisted"])
    for kind in ("internal", "bump", "cancel"):
        if kind in made:
            made[kind]["approvals"] = quorum(made[kind]["approvals"])
    for path in made.get("emergency", ()):
        path["name"] = name("path", path["name"])
        path["destinations"] = [name("entry", one) for one in path["destinations"]]
        path["approvals"] = quorum(path["approvals"])
    return made  # type: ignore[no-any-return]


def canaries(seed: int) -> list[str]:
    rng = random.Random(seed)  # noqa: S311 (repeatable on purpose)
    return ["zq" + "".join(rng.choice("bcdfghjkmnpqrstvwxz0123456789") for _ in range(14)) for _ in range(400)]


def shared(policy: SpendPolicy, *, keep_amounts: bool = False) -> SpendPolicy:
    return policy_from_document(shared_policy(policy, RoleNames(), keep_amounts=keep_amounts))


@pytest.mark.parametrize("name", templates.template_names())
@pytest.mark.parametrize("keep_amounts", [False, True])
def test_every_template_is_a_policy_again_with_the_same_findings(name: str, keep_amounts: bool) -> None:
    policy = load_policy(templates.template(name))
    text = policy_to_share(policy, keep_amounts=keep_amounts)
    again = load_policy(text)
    assert [(one.code, one.severity) for one in check_policy(again)] == [
        (one.code, one.severity) for one in check_policy(policy)
    ]
    # What was shared once says nothing more when it is shared again.
    assert policy_to_share(again, keep_amounts=keep_amounts) == text


@given(st.integers(0, 2**32))
def test_any_policy_keeps_its_structure_and_no_name(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 (repeatable on purpose)
    secrets = canaries(seed)
    policy = policy_from_document(renamed(random_document(rng), secrets))
    for keep_amounts in (False, True):
        again = shared(policy, keep_amounts=keep_amounts)
        text = policy_to_share(policy, keep_amounts=keep_amounts)
        assert_absent({*secrets, "pitcairn", "pacific"}, text)
        assert (again.name, again.version, again.time_zone) == (NAME, 1, TIME_ZONE)
        assert [(one.code, one.severity) for one in check_policy(again)] == [
            (one.code, one.severity) for one in check_policy(policy)
        ]
    kept = shared(policy, keep_amounts=True)
    assert kept.coins.address_cap == policy.coins.address_cap
    assert [one.transaction for one in kept.emergency] == [one.transaction for one in policy.emergency]
    if policy.payment is not None and kept.payment is not None:
        assert kept.payment.limits == policy.payment.limits
        assert [one.consent.waiting for one in kept.payment.tiers] == [
            one.consent.waiting for one in policy.payment.tiers
        ]
        assert [one.consent.hours for one in kept.payment.tiers] == [one.consent.hours for one in policy.payment.tiers]


@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_names_don_t_matter_to_what_is_shared(seed: int, other: int) -> None:
    document = random_document(random.Random(seed))  # noqa: S311 (repeatable on purpose)
    ours = policy_from_document(renamed(document, canaries(other)))
    theirs = policy_from_document(renamed(document, canaries(other + 1)))
    assert policy_to_share(ours, keep_amounts=True) == policy_to_share(theirs, keep_amounts=True)


@given(st.lists(st.sampled_from(ORDINARY), min_size=4, max_size=4, unique=True))
def test_names_that_are_ordinary_words_don_t_matter_either(words: list[str]) -> None:
    def text(path: str, destination: str, label: str, name: str) -> str:
        named = policy_text().replace("name: sweep", f"name: {path}").replace("[recovery]", f"[{destination}]")
        return named.replace("keep_apart: []", f"keep_apart: [{label}]").replace("test-reserve", name)

    expected = policy_to_share(load_policy(text("sweep", "recovery", "mining", "test-reserve")), keep_amounts=False)
    assert policy_to_share(load_policy(text(*words)), keep_amounts=False) == expected


def test_a_role_s_first_letter_tells_nothing() -> None:
    texts = {
        policy_to_share(load_policy(policy_text().replace("board", role)), keep_amounts=True) for role in ("aa", "zz")
    }
    assert len(texts) == 1


def test_amounts_are_shared_by_their_order_alone() -> None:
    secret = policy_text(routine="123456789sat", day="1234.56789btc").replace(
        "payment: 1000btc", "payment: 987654321sat"
    )
    policy = load_policy(secret)
    text = policy_to_share(policy, keep_amounts=False)
    assert_absent({"123456789", "1234.56789", "987654321", "123456789000"}, text)
    again = load_policy(text)
    assert policy.payment is not None
    assert again.payment is not None
    assert [one.up_to.most for one in again.payment.tiers] == [10**8, 3 * 10**8]
    assert again.payment.limits.payment.most == 2 * 10**8
    assert again.payment.limits.week.most is None
    # Zero forbids; it isn't an amount like another.
    nothing = load_policy(policy_to_share(load_policy(policy_text(day="0sat")), keep_amounts=False))
    assert nothing.payment is not None
    assert nothing.payment.limits.day.most == 0


@given(st.integers(0, 5_000_000).map(lambda minutes: minutes * 60))
def test_durations_are_written_as_they_are(seconds: int) -> None:
    if seconds <= MAX_DURATION_S:
        assert parse_duration(duration(seconds)) == seconds


class World:
    """A governed vault whose every text is a planted word; the structure is the same for every seed."""

    def __init__(self, seed: int) -> None:
        self.secrets = canaries(seed)
        words = iter(self.secrets)
        standard = (HARDENED + 48, HARDENED + 1, HARDENED, HARDENED + 2)
        keys = tuple(one for one in make_keys(40, seed=seed) if one.origin.path == standard)[:3]
        cosigners = tuple(Cosigner(next(words), key) for key in keys)
        made = vault_of(keys)
        self.vault = Vault(next(words), made.network, made.descriptor, cosigners, birth_height=123_456 + seed % 1000)
        self.ledger = GovernedLedger(self.vault)
        self.planted = {
            *self.secrets,
            self.vault.vault_id,
            self.vault.descriptor_text,
            str(self.vault.birth_height),
            *(self.vault.address_at(branch, index) for branch in (0, 1) for index in range(3)),
            *(one.key.origin.fingerprint.hex() + "/" for one in cosigners),
            *(one.key.key.public_key.hex() for one in cosigners),
            *(one.key.to_text(self.vault.network) for one in cosigners),
        }
        self._govern(words)
        self._describe(cosigners, words)
        self.ledger.issue(0, label=next(words))
        self.ledger.add(
            "label_set",
            {
                "type": "addr",
                "ref": self.vault.address_at(0, 0),
                "label": next(words),
                "origin": None,
                "spendable": None,
            },
        )
        self.ledger.receive(1_234_567_891)
        self.planted |= {entry.hash for entry in self.ledger.entries} | {"1234567891", "12.34567891"}

    def _govern(self, words: Any) -> None:
        policy = load_policy(renamed_text(policy_text(attest="true"), words))
        people = [
            ("drafter", "signer"),
            ("administrator", "approver"),
            ("administrator", "approver"),
            ("board", "signer"),
            ("auditor", "signer"),
        ]
        self.role = next(words)
        officers = []
        for roles in people:
            named = [self.role if role == "board" else role for role in roles]
            officers.append(Officer(next(words), frozenset(named), officer(next(words), *named).key))
        self.planted |= {one.key.to_text() for one in officers} | {one.key.fingerprint for one in officers}
        document = policy.to_document()
        text = json.dumps(document).replace("board", self.role)
        self.policy = policy_from_document(json.loads(text))
        gov = self.ledger.gov
        assert not gov.is_founded
        self.governance = replace(gov, officers={one.name: one for one in officers}, policy=self.policy)

    def _describe(self, cosigners: tuple[Cosigner, ...], words: Any) -> None:
        models = ("coldcard-mk4", "trezor-safe", "coldcard-mk4")
        custodian, place = next(words), next(words)
        for number, (one, model) in enumerate(zip(cosigners, models, strict=True)):
            body: dict[str, JsonValue] = {
                "cosigner": one.name,
                "device": model,
                "firmware": f"9.{next(words)[2:6]}",
                "seed_firmware": None,
                "custodian": custodian if number < 2 else next(words),
                "place": f"{place} http://{next(words)}.example/",
                "qr_dialect": None,
            }
            self.ledger.add("cosigner_described", body)
        self.planted |= {*models, "coldcard", "trezor"}

    def template(self) -> str:
        signers: Signers = self.ledger.state.signers
        return template_to_share(
            TemplateSource(self.vault, self.governance, signers, load_profiles()), keep_amounts=False
        )


def renamed_text(text: str, words: Any) -> str:
    return dump(renamed(load(text), [next(words) for _ in range(40)]))


@pytest.mark.parametrize("seed", range(8))
def test_a_template_holds_no_planted_word(seed: int) -> None:
    world = World(seed)
    text = world.template()
    assert_absent(world.planted, text)
    document = load(text)
    assert isinstance(document, dict)
    policy_from_document(document["policy"])
    # What belongs together still does: one maker and model of two keys, one custodian of two others.
    facts: Any = document["cosigners"]
    assert [one["name"] for one in facts] == ["cosigner-01", "cosigner-02", "cosigner-03"]
    assert [one["model"] for one in facts] == ["model-01", "model-02", "model-01"]
    assert [one["maker"] for one in facts] == ["maker-01", "maker-02", "maker-01"]
    assert [one["custodian"] for one in facts] == ["custodian-01", "custodian-01", "custodian-02"]


def test_two_vaults_of_one_structure_give_one_template() -> None:
    texts = {World(seed).template() for seed in range(100, 106)}
    assert len(texts) == 1


def test_the_grep_would_find_what_leaks() -> None:
    secret = canaries(1)[0]
    for leak in (secret, secret.upper(), secret[::-1], secret.encode().hex(), *encodings(secret)):
        with pytest.raises(AssertionError):
            assert_absent({secret}, f"policy: x{leak}y\n")


def encodings(secret: str) -> list[str]:
    return [base64.b64encode(b"x" * shift + secret.encode() + b"yyy").decode() for shift in range(3)]


def test_the_page_lists_what_passes() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "formats" / "share.md").read_text()
    document: Any = load(World(1).template())
    for key in (*document, *document["cosigners"][0], *document["ceremony"][0]):
        assert f"`{key}`" in page, key
