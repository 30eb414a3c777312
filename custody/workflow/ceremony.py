"""The founding of a vault as a list: who does what in which order, by the commands of this program.

Generated from numbers and roles alone. People are placeholders; whoever runs it fills in names,
and ticks each step off on paper with the time and two signatures.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from custody.errors import JsonValue
from custody.people.officer import SIGNER

ALL = "everybody"
COORDINATOR = "coordinator"
AUDITOR = "an outsider, or the auditor"


@dataclass(frozen=True, slots=True)
class Cast:
    """Numbers and placeholders that a ceremony is made of."""

    network: str
    script: str
    """`wsh` or `sh-wsh`, as commands say it."""
    threshold: int
    cosigners: tuple[str, ...]
    officers: Mapping[str, tuple[str, ...]]
    """Roles by officer; empty without governance."""
    custodians_attest: bool

    @property
    def create(self) -> tuple[str, ...]:
        """The command that makes the vault once KEY_1 and so on are filled in, word by word."""
        keys = (
            word for number, name in enumerate(self.cosigners, 1) for word in ("--cosigner", f"{name}=KEY_{number}")
        )
        terms = ("--network", self.network, "--script", self.script, "--threshold", str(self.threshold))
        return ("custody", "vault", "create", "DIR", "--name", "NAME", *terms, *keys)


@dataclass(frozen=True, slots=True)
class CeremonyStep:
    """One step: done when what it shows was seen."""

    who: str
    does: str
    command: str | None
    shows: str

    def to_json(self, number: int) -> dict[str, JsonValue]:
        """Return it as the template shows it."""
        return {"step": number, "who": self.who, "does": self.does, "command": self.command, "shows": self.shows}


def ceremony(cast: Cast) -> tuple[CeremonyStep, ...]:
    """Return the steps in their order: keys, the vault, devices, people, a rehearsal, what is kept elsewhere."""
    return (*_keys(cast), *_vault(cast), *_people(cast), *_proof(cast))


def _keys(cast: Cast) -> Iterator[CeremonyStep]:
    number = len(cast.cosigners)
    yield CeremonyStep(
        ALL,
        f"agree on {cast.threshold} of {number}, network, script, and who holds which key where; nobody holds two",
        None,
        "one sheet of paper with the terms, signed by everybody",
    )
    yield CeremonyStep(
        COORDINATOR,
        "begin the setup; send each request by one channel and its token by another",
        f"custody cosigner request SETUP --name NAME --network {cast.network} --script {cast.script} "
        f"--threshold {cast.threshold} " + " ".join(f"--cosigner {name}" for name in cast.cosigners),
        "each cosigner has a request, and a token that nobody else saw",
    )
    for name in cast.cosigners:
        yield CeremonyStep(
            name,
            "make the seed on the device, unseen by the witness beside you; keep two copies apart; answer with the key",
            "custody cosigner record --request REQUEST --token-file TOKEN --key KEY -o RECORD",
            "name, network, threshold, script and all names of the request are those on the paper",
        )
    yield CeremonyStep(
        COORDINATOR, "take every record", "custody cosigner accept SETUP RECORD", "nobody is missing any more"
    )


def _vault(cast: Cast) -> Iterator[CeremonyStep]:
    yield CeremonyStep(
        COORDINATOR, "make the vault from the setup", "custody vault create DIR --setup SETUP", "vault_id is printed"
    )
    for name in cast.cosigners:
        yield CeremonyStep(
            name,
            "import the vault from your own record, register it on your device, and prove the device",
            f"custody device check {name}",
            "your own key stands in it; the device shows the first address",
        )
    yield CeremonyStep(
        ALL,
        "compare vault_id and the first address aloud, each from their own screen and device",
        "custody vault show",
        f"{len(cast.cosigners)} times the same; this step is the one that can't be left out",
    )


def _people(cast: Cast) -> Iterator[CeremonyStep]:
    for name, roles in cast.officers.items():
        yield CeremonyStep(
            COORDINATOR,
            f"name {name}, whose SSH key was handed over in person",
            f"custody officer add {name} {' '.join(f'--role {role}' for role in roles)} --key PUBLIC_KEY",
            f"the fingerprint is the one that {name} reads out",
        )
    if cast.officers:
        yield CeremonyStep(
            COORDINATOR,
            "make the founding statement with the policy, checked and tested before",
            "custody vault found --policy POLICY",
            "the founding digest, which everybody writes down",
        )
    for name in cast.officers:
        yield CeremonyStep(
            name,
            "read the founding statement and sign it",
            f"custody change approve --key SSH_KEY --as {name}",
            "the same digest; with the last signature the policy is in force",
        )
    if cast.custodians_attest:
        signers = [name for name, roles in cast.officers.items() if SIGNER in roles]
        for name in cast.cosigners:
            yield CeremonyStep(
                "the custodian's officer: " + (" or ".join(signers) or "one with the role signer"),
                f"attest for {name} to hold the whole descriptor",
                f"custody cosigner attest {name} --key SSH_KEY --as OFFICER",
                "no attestation is missing any more: addresses can be handed out",
            )


def _proof(cast: Cast) -> Iterator[CeremonyStep]:
    yield CeremonyStep(
        ALL,
        "receive a small amount, pay a part of it out, with every approval and device that a large payment takes",
        "custody proposal draft --to ADDRESS=AMOUNT",
        f"a confirmed payment, signed by {cast.threshold} devices; repeat until each device has signed once",
    )
    yield CeremonyStep(
        COORDINATOR,
        "back up the vault; copies at as many places as there are keys",
        "custody vault backup BACKUP",
        "head and digest, written down away from the file",
    )
    if cast.officers:
        yield CeremonyStep(
            "an officer of each office",
            "sign the journal's head, and keep the file away from the journal",
            "custody journal checkpoint --key SSH_KEY -o CHECKPOINT",
            "the same head everywhere",
        )
    yield CeremonyStep(
        AUDITOR,
        "restore the backup on a machine that saw nothing of this, and compare",
        "custody vault restore BACKUP DIR",
        "the same vault_id, head and first address",
    )
