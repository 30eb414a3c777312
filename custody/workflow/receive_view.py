"""An attested address as it stands now: who signed and is in force, and which ones wait for an officer."""

from dataclasses import dataclass

from custody.audit.receives import ReceiveRecord
from custody.audit.state import State
from custody.codes import Code
from custody.errors import InvalidInput, JsonValue
from custody.people.receive import ReceiveTerms


@dataclass(frozen=True, slots=True)
class ReceiveView:
    """An attested address as it stands now."""

    record: ReceiveRecord
    signed_by: tuple[str, ...]
    """Officers in force who signed."""

    @property
    def missing(self) -> int:
        """How many more officers are needed."""
        return max(0, self.record.terms.needed - len(self.signed_by))

    def to_json(self) -> dict[str, JsonValue]:
        """Return it for `--json`."""
        terms, statement = self.record.terms, self.record.terms.statement
        return {
            "receive_id": terms.receive_id,
            **terms.to_document(),
            "signed_by": [*self.signed_by],
            "missing": self.missing,
            "proof": self.record.proof,
            "statement": statement.text,
            "statement_digest": statement.digest,
            "namespace": statement.kind.namespace,
        }


def find_receive(state: State, index: int) -> ReceiveRecord:
    """Return the newest attestation of the address at `index`.

    Raises:
        InvalidInput: ATTESTATION_UNKNOWN.
    """
    found = [one for one in state.receives.values() if one.terms.index == index]
    if not found:
        raise InvalidInput(
            Code.ATTESTATION_UNKNOWN,
            f"nothing is written down for receive address {index}",
            advice="Begin with `custody address attest INDEX --purpose TEXT`, or `--next` for a new address.",
        )
    return found[-1]


def view_receive(state: State, record: ReceiveRecord) -> ReceiveView:
    """Return an attestation with who signed it and is in force."""
    return ReceiveView(record, tuple(one.officer for one in record.in_force(state.governance)))


def open_receives(state: State) -> tuple[ReceiveView, ...]:
    """Return the attestations that wait for an officer: the newest of each address, not past, not signed by enough."""
    newest = {one.terms.index: view_receive(state, one) for one in state.receives.values()}
    return tuple(one for one in newest.values() if one.missing and not _is_past(state, one.record.terms))


def _is_past(state: State, terms: ReceiveTerms) -> bool:
    return state.tip is not None and terms.expires_height is not None and state.tip.height > terms.expires_height
