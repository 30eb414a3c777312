"""Who has signed and who is still awaited, counted from verified signatures alone.

A quorum counts where its weakest input stands: a cosigner has signed when every input
carries a valid signature by its key, and what is missing is what the input with the fewest
still needs (attack A55). After python-tuf: the question is a value, nothing is raised.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.codes import Code
from custody.errors import Finding, JsonValue, Severity


@dataclass(frozen=True, slots=True)
class SigningProgress:
    """The state of a payment's signatures."""

    threshold: int
    signed: tuple[str, ...]
    """Cosigners with a valid signature on every input, in the vault's order."""
    unsigned: tuple[str, ...]
    """All other cosigners, in the vault's order."""
    per_input: tuple[tuple[str, ...], ...]
    """For each input the cosigners with a valid signature on it; empty where it can't be judged."""

    @classmethod
    def count(cls, threshold: int, cosigners: Sequence[str], per_input: Sequence[tuple[str, ...]]) -> "SigningProgress":
        """Count from the verified signers of each input."""
        everywhere = set(cosigners).intersection(*per_input) if per_input else set()
        return cls(
            threshold,
            tuple(name for name in cosigners if name in everywhere),
            tuple(name for name in cosigners if name not in everywhere),
            tuple(per_input),
        )

    @property
    def missing(self) -> int:
        """How many signatures the weakest input still needs."""
        weakest = min((len(signers) for signers in self.per_input), default=0)
        return max(0, self.threshold - weakest)

    @property
    def is_complete(self) -> bool:
        """Whether every input has its quorum."""
        return self.missing == 0

    def differing_inputs(self) -> tuple[int, ...]:
        """Return the inputs whose signers are not those of input 0."""
        if not self.per_input:
            return ()
        first = set(self.per_input[0])
        return tuple(number for number, signers in enumerate(self.per_input) if set(signers) != first)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the form of every `signing` object."""
        return {"threshold": self.threshold, "signed": list(self.signed), "missing": self.missing}


def signer_set_findings(progress: SigningProgress) -> tuple[Finding, ...]:
    """Warn where inputs are signed by different cosigners (A55)."""
    differing = progress.differing_inputs()
    if not differing:
        return ()
    number = differing[0]
    return (
        Finding(
            Code.SIGNER_SET_DIFFERS,
            Severity.WARN,
            "tx",
            f"{len(differing)} of {len(progress.per_input)} inputs carry other signers than input 0: "
            f"input 0 has {_names(progress.per_input[0])}, input {number} has {_names(progress.per_input[number])}",
            "Count each input by itself; have a cosigner who signed only some inputs sign all of them.",
        ),
    )


def _names(signers: tuple[str, ...]) -> str:
    return ", ".join(signers) or "none"
