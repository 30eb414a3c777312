"""Take back what came on a card: judge every file, record the signatures of the good ones, name the rest.

All files are judged before anything is recorded, and what is recorded goes into the journal
in one step. A file that contradicts what we know gives nothing and is reported; it does not
keep the good ones out, because whoever can put a file on a card must not be able to stop a
payment. Names decide nothing but how loudly junk is reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from custody.audit.chain_view import known_outputs
from custody.audit.state import State
from custody.bitcoin.psbt import PartialSignature, Psbt
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import Conflict, CustodyError, Finding, JsonValue, NotYet, Severity
from custody.policy.decision import Gate, require_allowed
from custody.spend.psbt_builder import stripped_txid
from custody.vault.vault import Vault
from custody.workflow.decide import decision_on
from custody.workflow.judge_returned import Judged, judge_returned, require_open
from custody.workflow.match_returned import match_returned
from custody.workflow.office import Desk
from custody.workflow.psbt_files import read_returned
from custody.workflow.read_card import FoundFile

_CONTRADICTS = 3


class Verdict(StrEnum):
    """What became of a file."""

    TAKEN = "taken"
    """It brought signatures that were not known."""
    KNOWN = "known"
    """Every signature in it was known already."""
    IGNORED = "ignored"
    """A stranger: it has nothing to say about any proposal, or nothing new to bring."""
    REFUSED = "refused"
    """It contradicts what we know, or can't be read though it says that it is a payment."""


@dataclass(frozen=True, slots=True)
class JudgedFile:
    """One file of a card and what became of it."""

    name: str
    verdict: Verdict
    words: str
    judged: Judged | None = None
    error: CustodyError | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the file as `proposal add` lists it."""
        return {
            "file": self.name,
            "verdict": str(self.verdict),
            "code": None if self.error is None else str(self.error.code),
            "message": self.words,
            "proposal_id": None if self.judged is None else self.judged.proposal_id,
            "signers": [] if self.judged is None else [*self.judged.signers],
            "new_signatures": 0 if self.judged is None else len(self.judged.fresh),
        }

    def finding(self) -> Finding:
        """Return a refused file as a finding."""
        code = Code.FILE_UNREADABLE if self.error is None else self.error.code
        advice = "Do not use this file." if self.error is None else self.error.advice
        return Finding(code, Severity.REFUSE, self.name, self.words, advice)


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What one card, or several, brought."""

    files: tuple[JudgedFile, ...]

    @property
    def proposal_ids(self) -> tuple[str, ...]:
        """The proposals that a file of the card has valid signatures for, each once."""
        return tuple(dict.fromkeys(one.judged.proposal_id for one in self.files if one.judged is not None))

    @property
    def refused(self) -> tuple[JudgedFile, ...]:
        """The files that nothing was taken from, and that somebody has to explain."""
        return tuple(one for one in self.files if one.verdict is Verdict.REFUSED)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """Notes on what was ignored inside good files."""
        return tuple(note for one in self.files if one.judged is not None for note in one.judged.notes)

    @property
    def new_signatures(self) -> int:
        """How many signatures were recorded."""
        return sum(len(one.judged.fresh) for one in self.files if one.judged is not None)

    @property
    def exit_code(self) -> int:
        """0, or the code of what was refused; 3 as soon as one file contradicts what we know or is malformed."""
        codes = {one.error.exit_code for one in self.refused if one.error is not None}
        return 0 if not codes else codes.pop() if codes in ({4}, {5}) else _CONTRADICTS


def take_back_card(desk: Desk, found: Sequence[FoundFile]) -> TakenBack:
    """Judge every file at one head of the journal, and record what the good ones bring.

    Raises:
        NotYet: NO_SIGNATURES where no file is refused and none holds a signature.
    """
    answer = TakenBack(tuple(_without_repeats(_judge_all(desk.state, desk.vault, found))))
    if not answer.proposal_ids and not answer.refused:
        raise NotYet(
            Code.NO_SIGNATURES,
            f"none of {len(found)} file(s) holds a signature for a proposal of this vault",
            advice="Sign on the device, save its result on the card, and add the card again.",
            points=tuple(f"{one.name}: {one.words}" for one in answer.files),
            details={"files": [one.to_json() for one in answer.files]},
        )
    desk.record([one.judged.event("file") for one in answer.files if one.judged is not None and one.judged.fresh])
    return answer


def _judge_all(state: State, vault: Vault, found: Sequence[FoundFile]) -> list[JudgedFile]:
    """Judge each content once: a card full of copies costs no more than one file."""
    known: dict[bytes, JudgedFile] = {}
    judged = []
    for one in found:
        if not one.data:
            judged.append(_judge(state, vault, one))
            continue
        if one.data not in known:
            known[one.data] = _judge(state, vault, one)
        judged.append(replace(known[one.data], name=one.name))
    return judged


def _judge(state: State, vault: Vault, found: FoundFile) -> JudgedFile:
    if found.refused is not None:
        return JudgedFile(found.name, Verdict.REFUSED, found.refused.message, error=found.refused)
    if found.data is None:
        return JudgedFile(found.name, Verdict.IGNORED, found.passed_over or "not read")
    if not found.data:
        return JudgedFile(found.name, Verdict.IGNORED, "empty or blanked: devices do that to a file that they signed")
    try:
        returned = read_returned(found.data)
        if not _has_signature(returned):
            return _judge_unsigned(state, found.name, returned)
        record = match_returned(state, returned)
        judged = judge_returned(state, vault, record, returned)
        require_open(state, record)
        require_allowed(decision_on(state, vault, record, Gate.SIGN))
    except Conflict as error:
        return JudgedFile(found.name, Verdict.IGNORED, error.message, error=error)
    except CustodyError as error:
        if error.code is Code.REHEARSAL:
            return JudgedFile(found.name, Verdict.IGNORED, error.message, error=error)
        return JudgedFile(found.name, Verdict.REFUSED, error.message, error=error)
    verdict = Verdict.TAKEN if judged.fresh else Verdict.KNOWN
    return JudgedFile(found.name, verdict, _words(judged), judged)


def _judge_unsigned(state: State, name: str, returned: Psbt | Transaction) -> JudgedFile:
    """Pass over an unsigned file, unless it is about another transaction that spends what is ours."""
    unsigned = returned.unsigned_transaction() if isinstance(returned, Psbt) else returned
    ours = {record.proposal.unsigned_txid: record.proposal_id for record in state.proposals.values()}
    proposal_id = ours.get(stripped_txid(unsigned))
    if proposal_id is not None:
        return JudgedFile(name, Verdict.IGNORED, f"no signature in it: as proposal `{proposal_id[:16]}` went out")
    spent = {one.outpoint for one in unsigned.inputs}
    if spent & (set(known_outputs(state)) | {one for each in state.proposals.values() for one in each.proposal.inputs}):
        match_returned(state, returned)  # refuses, and says what differs
    return JudgedFile(name, Verdict.IGNORED, "an unsigned payment that is none of this vault's")


def _has_signature(returned: Psbt | Transaction) -> bool:
    if isinstance(returned, Transaction):
        return any(one.witness or one.script_sig for one in returned.inputs)
    return any(
        one.partial_signatures or one.final_script_sig is not None or one.final_script_witness is not None
        for one in returned.inputs
    )


def _without_repeats(files: Sequence[JudgedFile]) -> list[JudgedFile]:
    """Leave each signature to the first file that brings it: cards hold copies, and each is recorded once."""
    seen: set[tuple[str, int, bytes]] = set()
    kept: list[JudgedFile] = []
    for one in files:
        if one.judged is not None:
            proposal_id = one.judged.proposal_id
            names = [(proposal_id, number, made.public_key) for number, made in one.judged.fresh]
            fresh = tuple(each for each, name in zip(one.judged.fresh, names, strict=True) if name not in seen)
            if len(fresh) < len(names):
                one = _repeated(one, one.judged, fresh)
            seen.update(names)
        kept.append(one)
    return kept


def _repeated(one: JudgedFile, judged: Judged, fresh: tuple[tuple[int, PartialSignature], ...]) -> JudgedFile:
    left = replace(judged, fresh=fresh)
    if fresh:
        return replace(one, judged=left)
    words = "every signature in it is in another file of the card too"
    return replace(one, verdict=Verdict.KNOWN, words=words, judged=replace(left, signers=()))


def _words(judged: Judged) -> str:
    if not judged.fresh:
        return "every signature in it was known already"
    return f"{len(judged.fresh)} new signature(s) by {', '.join(judged.signers)}"
