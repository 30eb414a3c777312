"""When each key of a vault last proved that it is alive, and what the policy's interval says to that.

A proof is a signature that only the key can have made, verified by whoever calls: a rehearsal signed on its device,
or a payment that the chain holds. Its age is counted by the chain's median time, from the tip that the journal had
when it was recorded to the newest one; no clock is asked. A rehearsal follows from vault and number alone, so that a
holder could have signed it long before it was recorded: a payment can't be older than its coins.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from custody.audit.signers import SignerRecord
from custody.audit.state import SeenTip
from custody.codes import Code
from custody.errors import Finding, JsonValue, Severity
from custody.policy.limit import show_duration
from custody.spend.expiry import format_time

_DAY_S = 86_400


class ProofKind(StrEnum):
    """How a key proved itself."""

    REHEARSAL = "rehearsal"
    PAYMENT = "payment"
    """A signature of a payment that was mined."""


@dataclass(frozen=True, slots=True)
class KeyProof:
    """A verified signature of one key."""

    kind: ProofKind
    seq: int
    """Entry that recorded it."""
    time: int | None
    """Unix seconds of the chain's median time at that entry, None before the first sync."""
    what: str
    """The rehearsal's number, or the payment's txid."""


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """One key: its newest proof, and the device that holds it."""

    cosigner: str
    fingerprint: str
    record: SignerRecord
    """What the journal says of its device: claims, but for what was verified."""
    proof: KeyProof | None
    height: int | None
    """Tip at the proof, by the journal's observations; None where there is none."""
    age_blocks: int | None
    age_seconds: int | None
    """None where nothing is known of when it proved, or the journal has no tip."""
    is_overdue: bool
    """False where no policy asks."""

    @property
    def age_days(self) -> int | None:
        """Whole days."""
        return None if self.age_seconds is None else self.age_seconds // _DAY_S

    def to_json(self) -> dict[str, JsonValue]:
        """Return the key as `audit keys` shows it."""
        proof, said, check = self.proof, self.record.description, self.record.check
        device = said.device if said is not None else None if check is None else check.device
        firmware = said.firmware if said is not None else None if check is None else check.firmware
        return {
            "name": self.cosigner,
            "fingerprint": self.fingerprint,
            "proof": None if proof is None else str(proof.kind),
            "what": None if proof is None else proof.what,
            "entry": None if proof is None else proof.seq,
            "height": self.height,
            "time": None if proof is None or proof.time is None else format_time(proof.time),
            "age_blocks": self.age_blocks,
            "age_days": self.age_days,
            "overdue": self.is_overdue,
            "device": device,
            "firmware": firmware,
            "custodian": None if said is None else said.custodian,
            "place": None if said is None else said.place,
        }


@dataclass(frozen=True, slots=True)
class ProofClock:
    """The tips that a journal observed: what a time means in blocks, and what is now."""

    tips: Sequence[SeenTip]
    """By height; heights and median times only rise."""
    interval: int | None
    """Seconds that the policy lets pass, None where it asks for nothing."""

    def standing(self, cosigner: str, fingerprint: str, record: SignerRecord, proof: KeyProof | None) -> KeyStanding:
        """Return where a key stands now.

        A proof from before the first observation counts from that one: it is at least so old.
        """
        if proof is None or not self.tips:
            is_overdue = proof is None and self.interval is not None
            return KeyStanding(cosigner, fingerprint, record, proof, None, None, None, is_overdue)
        now, first = self.tips[-1], self.tips[0]
        time = first.median_time_past if proof.time is None else max(proof.time, first.median_time_past)
        place = max(0, bisect_right(self.tips, time, key=lambda tip: tip.median_time_past) - 1)
        age, height = max(0, now.median_time_past - time), self.tips[place].height
        is_overdue = self.interval is not None and age > self.interval
        return KeyStanding(cosigner, fingerprint, record, proof, height, now.height - height, age, is_overdue)


def overdue_findings(standings: Sequence[KeyStanding], interval: int | None) -> tuple[Finding, ...]:
    """Return a warning for each key that is overdue. Nothing waits for it."""
    if interval is None:
        return ()
    return tuple(
        Finding(
            Code.KEY_PROOF_OVERDUE,
            Severity.WARN,
            f"cosigner:{one.cosigner}",
            f"the key of `{one.cosigner}` {_since(one)}; the policy asks for a proof every {show_duration(interval)}",
            "Let its custodian check it now: `custody device check`.",
        )
        for one in standings
        if one.is_overdue
    )


def _since(one: KeyStanding) -> str:
    if one.proof is None:
        return "never proved that it is alive"
    return f"last proved that it is alive {one.age_days} days ago (entry {one.proof.seq}, block {one.height})"
