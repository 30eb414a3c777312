"""A thousand bad approvals of one proposal: each is wrong in one way, and otherwise as good as a real one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from random import Random

from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA512

from custody.audit.governance import GovernanceState
from custody.audit.journal import Entry
from custody.audit.state import State
from custody.documents.sshsig_keys import SshKeyType
from custody.errors import JsonValue
from custody.people.change import ChangeKind, Payload
from custody.people.officer import Officer
from custody.people.statement import Statement, StatementKind, proposal_statement
from support.governed import ROLES, GovernedLedger, officer, policy_text, signer_of
from support.ledger import OUTSIDE
from support.ssh import SoftSigner, armor, ssh_mpint, ssh_string, sshsig_blob
from support.vaults import make_vault

TOKEN = SoftSigner(SshKeyType.SK_ED25519, seed="token of tess")
NAMESPACE = StatementKind.APPROVE.namespace
EXPIRES_AFTER_BLOCKS = 14 * 144


@dataclass(frozen=True, slots=True)
class Bad:
    """A bad approval, with the journal that it is added to."""

    way: str
    state: State
    officer: str
    signature: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A proposal that waits for approvals: by ann, bo, cy, and tess who has a token."""

    ledger: GovernedLedger
    proposal_id: str
    other_id: str
    """Another proposal, of the same amount to the same payee."""
    state: State
    """The fold of the ledger, once."""
    statement: Statement
    """What an approver of the proposal signs."""
    other_statement: Statement

    def entry(self, bad: Bad) -> Entry:
        """Return the journal entry that claims the approval, right after the newest."""
        gov: GovernanceState = bad.state.governance
        ref = gov.statements[-1]
        last = self.ledger.entries[-1]
        body: dict[str, JsonValue] = {
            "proposal_id": self.proposal_id,
            "statement": "approve",
            "officer": bad.officer,
            "governance": {"number": ref.number, "digest": ref.digest},
            "signature": bad.signature,
        }
        return Entry.make(
            journal_id="test",
            seq=last.seq + 1,
            time="2030-01-01T00:00:00Z",
            tip=None,
            actor=None,
            kind="proposal_statement",
            body=body,
            request_id="bad",
            prev=last.hash,
        )


def make_scene() -> Scene:
    """Return the scene: founded, funded, two proposals, each signed by its drafter."""
    ledger = GovernedLedger(make_vault())
    ledger.mine(1)
    ledger.found(policy_text(governance_waiting="0h"))
    ledger.carry(
        ChangeKind.ENROL, Payload(officers=(Officer("tess", frozenset({"approver"}), TOKEN.public),)), "ann", "bo"
    )
    ledger.carry(ChangeKind.ENROL, Payload(officers=(officer("rex", "approver"),)), "ann", "bo")
    ledger.receive(5_000_000, 5_000_000)
    policy = ledger.gov.policy
    assert policy is not None
    made = []
    for _ in range(2):
        drafted = ledger.draft((OUTSIDE, 1_000_000), policy_digest=policy.digest, drafter="dora")
        made.append(ledger.propose(drafted))
        ledger.sign_proposal(made[-1], StatementKind.PROPOSE, "dora")
    state = ledger.state
    ref = state.governance.statements[-1]
    first, second = (
        proposal_statement(
            StatementKind.APPROVE, state.proposals[one].proposal, vault_name=ledger.vault.name, governance=ref
        )
        for one in made
    )
    return Scene(ledger, made[0], made[1], state, first, second)


def sign(name: str, data: bytes, namespace: str = NAMESPACE) -> str:
    """Return a right signature by an officer's key over any bytes."""
    return signer_of(name).sign(data, namespace=namespace)


@cache
def _weak_key(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, (1024, 2048)[number % 2])


def _weak(scene: Scene, random: Random) -> tuple[str, str]:
    key = _weak_key(random.randrange(4))
    numbers = key.public_key().public_numbers()
    blob = ssh_string("ssh-rsa") + ssh_mpint(numbers.e) + ssh_mpint(numbers.n)
    wrapped = signer_of("ann").wrapped(scene.statement.signed_bytes, NAMESPACE)
    inner = ssh_string("rsa-sha2-512") + ssh_string(key.sign(wrapped, padding.PKCS1v15(), SHA512()))
    return "ann", armor(sshsig_blob(blob, inner, NAMESPACE))


def _certificate(scene: Scene, random: Random) -> tuple[str, str]:
    signer = signer_of("ann")
    public = ed25519.Ed25519PrivateKey.from_private_bytes(random.randbytes(32)).public_key().public_bytes_raw()
    blob = ssh_string("ssh-ed25519-cert-v01@openssh.com") + ssh_string(random.randbytes(32)) + ssh_string(public)
    inner = signer.inner(signer.wrapped(scene.statement.signed_bytes, NAMESPACE))
    return "ann", armor(sshsig_blob(blob, inner, NAMESPACE))


def _trailing(scene: Scene, random: Random) -> tuple[str, str]:
    signer, junk = signer_of("ann"), random.randbytes(random.randrange(1, 40))
    inner = signer.inner(signer.wrapped(scene.statement.signed_bytes, NAMESPACE))
    where = random.randrange(3)
    if where == 0:
        return "ann", armor(sshsig_blob(signer.key_blob(), inner, NAMESPACE) + junk)
    if where == 1:
        return "ann", armor(sshsig_blob(signer.key_blob() + junk, inner, NAMESPACE))
    return "ann", armor(sshsig_blob(signer.key_blob(), inner + junk, NAMESPACE))


def _absent(scene: Scene, random: Random) -> tuple[str, str]:
    flags = random.choice([0, 2, 4, 0x40, 0x80, 0x86])
    absent = replace(TOKEN, flags=flags, counter=random.randrange(2**32))
    return "tess", absent.sign(scene.statement.signed_bytes, namespace=NAMESPACE)


def _edited(scene: Scene, random: Random) -> tuple[str, str]:
    text = bytearray(scene.statement.signed_bytes)
    place = random.randrange(len(text))
    how = random.randrange(3)
    if how == 0:
        text[place] = (text[place] + random.randrange(1, 256)) % 256
    elif how == 1:
        del text[place]
    else:
        text.insert(place, random.randrange(32, 127))
    # A letter put in beside its like is the same text only if it is the same bytes.
    return "ann", sign("ann", bytes(text) if bytes(text) != scene.statement.signed_bytes else b"")


def _line(label: str, values: Callable[[Random], str]) -> Callable[[Scene, Random], tuple[str, str]]:
    """Return the way that signs a statement in which one line says something else."""

    def way(scene: Scene, random: Random) -> tuple[str, str]:
        lines = scene.statement.text.splitlines()
        place = next(number for number, line in enumerate(lines) if line.startswith(f"{label}: "))
        changed = f"{label}: {values(random)}"
        assert changed != lines[place]
        lines[place] = changed
        return "ann", sign("ann", ("\n".join(lines) + "\n").encode())

    return way


def _hex(random: Random) -> str:
    return random.randbytes(32).hex()


def _wrong_key(scene: Scene, random: Random) -> tuple[str, str]:
    stranger = SoftSigner(random.choice([SshKeyType.ED25519, SshKeyType.ECDSA_P256]), seed=f"eve {random.random()}")
    name = random.choice(["ann", "bo", "cy"])
    return name, stranger.sign(scene.statement.signed_bytes, namespace=NAMESPACE)


def _wrong_kind(scene: Scene, random: Random) -> tuple[str, str]:
    kind = random.choice([one for one in StatementKind if one is not StatementKind.APPROVE])
    if random.random() < 0.5:
        return "ann", sign("ann", scene.statement.signed_bytes, kind.namespace)
    text = scene.statement.text.replace(NAMESPACE, kind.namespace, 1)
    return "ann", sign("ann", text.encode(), kind.namespace)


def _replay(scene: Scene, random: Random) -> tuple[str, str]:
    name = random.choice(["ann", "bo", "cy"])
    return name, sign(name, scene.other_statement.signed_bytes)


WAYS: dict[str, Callable[[Scene, Random], tuple[str, str]]] = {
    "wrong key": _wrong_key,
    "wrong kind": _wrong_kind,
    "weak RSA": _weak,
    "certificate": _certificate,
    "trailing bytes": _trailing,
    "no user presence": _absent,
    "replay": _replay,
    "edited statement": _edited,
    "other network": _line("network", lambda random: random.choice(["main", "testnet4", "signet"])),
    "other vault": _line("vault id", _hex),
    "other txid": _line("unsigned txid", _hex),
    "other governance": _line("governance", lambda random: f"{random.randrange(9)} {_hex(random)}"),
}
"""Ways that are wrong in the signature itself; the rest are right signatures at the wrong time."""


def bad_approvals(scene: Scene, count: int, random: Random) -> Iterator[Bad]:
    """Yield bad approvals, every way as often as the others."""
    late = Late(scene)
    makers = [*WAYS, *late.ways]
    for number in range(count):
        way = makers[number % len(makers)]
        if way in WAYS:
            name, signature = WAYS[way](scene, random)
            yield Bad(way, scene.state, name, signature)
        else:
            yield late.ways[way](random)


class Late:
    """Right signatures that come when their officer, or their proposal, can't be approved any more."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.ways: dict[str, Callable[[Random], Bad]] = {
            "revoked": self._revoked,
            "duplicate person": self._duplicate,
            "expired": self._expired,
            "nobody's officer": self._nobody,
        }
        self._after: dict[str, State] = {}

    def _branch(self, way: str, grow: Callable[[GovernedLedger], None]) -> State:
        """Return the state of a copy of the journal that went on otherwise."""
        if way not in self._after:
            branch = GovernedLedger.__new__(GovernedLedger)
            branch.__dict__.update(self.scene.ledger.__dict__)
            branch.entries = [*self.scene.ledger.entries]
            grow(branch)
            self._after[way] = branch.state
        return self._after[way]

    def _revoked(self, random: Random) -> Bad:
        state = self._branch("revoked", lambda ledger: _carry(ledger, ChangeKind.REVOKE, Payload(name="rex")))
        del random
        return Bad("revoked", state, "rex", sign("rex", self.scene.statement.signed_bytes))

    def _duplicate(self, random: Random) -> Bad:
        name = random.choice(["ann", "bo", "cy"])

        def grow(ledger: GovernedLedger) -> None:
            ledger.sign_proposal(self.scene.proposal_id, StatementKind.APPROVE, name)

        state = self._branch(f"duplicate {name}", grow)
        return Bad("duplicate person", state, name, sign(name, self.scene.statement.signed_bytes))

    def _expired(self, random: Random) -> Bad:
        name = random.choice([*ROLES])
        state = self._branch("expired", lambda ledger: ledger.mine(EXPIRES_AFTER_BLOCKS))
        return Bad("expired", state, name, sign(name, self.scene.statement.signed_bytes))

    def _nobody(self, random: Random) -> Bad:
        name = f"eve{random.randrange(1000)}"
        return Bad("nobody's officer", self.scene.state, name, sign("ann", self.scene.statement.signed_bytes))


def _carry(ledger: GovernedLedger, kind: ChangeKind, payload: Payload) -> None:
    ledger.carry(kind, payload, "ann", "bo")
