"""Signatures whose nonces give a key away: one nonce under two signatures, or one far too small (attack A112).

Whoever sees two signatures with one nonce computes the key; the transactions are public, so everybody does. Firmware
that leaks a seed on purpose need not repeat itself: what is not found here is no proof of anything. Signatures are
compared as they were recorded; nobody needs to have believed them.
Source: SEC 1, 4.1.3 (the nonce is never used twice); RFC 6979 (why it is derived).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from custody.audit.state import ProposalRecord, State
from custody.codes import Code
from custody.errors import Finding, Severity
from custody.vault.vault import Vault

SMALL_BITS = 200
"""No honest r is shorter: of 2**56 signatures one is."""

_SEQUENCE, _INTEGER = 0x30, 0x02


@dataclass(frozen=True, slots=True)
class _Signed:
    cosigner: str
    public_key: bytes
    s: int
    place: str
    """Proposal and input, for people."""
    seq: int
    """Entry that recorded it."""


def nonce_findings(state: State, vault: Vault) -> tuple[Finding, ...]:
    """Return a finding for each nonce that is used twice or too small, in any signature that the journal holds."""
    return tuple(finding for _seq, finding in placed_nonce_findings(state, vault))


def placed_nonce_findings(state: State, vault: Vault) -> tuple[tuple[int, Finding], ...]:
    """Return the same, each with the entry that shows it: of two signatures with one nonce the later one's."""
    by_nonce: dict[int, dict[tuple[bytes, int], _Signed]] = {}
    for record in state.proposals.values():
        for r, signed in _signatures(record, vault):
            by_nonce.setdefault(r, {})[signed.public_key, signed.s] = signed
    found: list[tuple[int, Finding]] = []
    for r, signatures in by_nonce.items():
        several = tuple(signatures.values())
        if len(several) > 1:
            found.append((max(one.seq for one in several), _repeated(several)))
        if r.bit_length() <= SMALL_BITS:
            found.append((several[0].seq, _small(several[0])))
    return tuple(found)


def _signatures(record: ProposalRecord, vault: Vault) -> Iterator[tuple[int, _Signed]]:
    names = {one.fingerprint: one.name for one in vault.cosigners}
    for one in record.signatures:
        numbers = _numbers(one.signature)
        if numbers is None or one.input_index >= len(record.psbt.inputs):
            continue  # a claim that verifies nowhere; it is refused where it is used
        derivations = record.psbt.inputs[one.input_index].derivations
        owner = next((d.origin.fingerprint for d in derivations if d.public_key == one.public_key), b"")
        place = f"proposal {record.proposal_id[:16]} input {one.input_index}, entry {one.seq}"
        owner_name = names.get(owner, "a key of nobody")
        yield numbers[0], _Signed(owner_name, one.public_key, numbers[1], place, one.seq)


def _numbers(signature: bytes) -> tuple[int, int] | None:
    """Return r and s of a DER signature with its sighash byte, None where it is none."""
    body = signature[:-1]
    if len(body) < 8 or body[0] != _SEQUENCE or body[1] != len(body) - 2:
        return None
    r, rest = _integer(body[2:])
    s, rest = _integer(rest)
    return None if r is None or s is None or rest else (r, s)


def _integer(data: bytes) -> tuple[int | None, bytes]:
    if len(data) < 2 or data[0] != _INTEGER or not 1 <= data[1] <= len(data) - 2:
        return None, b""
    return int.from_bytes(data[2 : 2 + data[1]], "big"), data[2 + data[1] :]


def _repeated(signatures: tuple[_Signed, ...]) -> Finding:
    names = ", ".join(dict.fromkeys(one.cosigner for one in signatures))
    places = "; ".join(one.place for one in signatures)
    return Finding(
        Code.NONCE_REPEATED,
        Severity.REFUSE,
        f"cosigner:{signatures[0].cosigner}",
        f"{names} signed twice with one nonce ({places}): whoever sees both signatures has the key",
        "Treat the key and its seed as known to all, stop using the device, and move the coins to a vault without it.",
    )


def _small(signed: _Signed) -> Finding:
    return Finding(
        Code.NONCE_SUSPICIOUS,
        Severity.WARN,
        f"cosigner:{signed.cosigner}",
        f"a signature of {signed.cosigner} ({signed.place}) has a nonce that no honest device picks: "
        f"r is of {SMALL_BITS} bits or less",
        "Sign nothing more with the device until its maker explains it; think of the key as known.",
    )
