"""Write on a card what each cosigner's device needs to sign a proposal, and a page for the person.

Everything is decided and compared with the card before the journal says that the proposal
left, and the journal says so before a byte is written. Nothing is overwritten. The files
with the checksums come last, so that where one stands all it names is whole; an export that
was cut off is completed by the same command, which leaves alone what is there to the byte.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from custody.atomic import Folder, opened_folder
from custody.audit.state import ProposalRecord
from custody.codes import Code
from custody.errors import Conflict, InvalidInput
from custody.policy.decision import Gate, require_allowed
from custody.spend.card import (
    CardDevice,
    CardFile,
    CardFileKind,
    bundle_name,
    checksums_file,
    page_name,
    psbt_name,
    stem_of,
)
from custody.vault.vault import Vault
from custody.workflow.card_page import CardReader, card_page
from custody.workflow.decide import decision_on
from custody.workflow.device_limits import require_signable
from custody.workflow.draft_proposal import left_event
from custody.workflow.make_bundle import make_bundle
from custody.workflow.office import Desk
from custody.workflow.proposal_access import collected_psbt, find_proposal, require_live, require_sole_holder
from custody.workflow.proposal_view import ProposalView, view_proposal

DeviceOf = Callable[[str | None], CardDevice]
"""Takes the id of a device as it was described, None where nobody described one."""

CARD_FILE_MODE = 0o644
"""Whoever holds the card reads it, on whatever machine."""


@dataclass(frozen=True, slots=True)
class CardExport:
    """What goes on the card, and what is there already."""

    view: ProposalView
    files: tuple[CardFile, ...]
    """In the order of writing, checksums last."""
    missing: tuple[CardFile, ...]
    """Those of `files` that are not there yet."""


def plan_card(desk: Desk, folder: Path, named: str | None, cosigners: Sequence[str], devices: DeviceOf) -> CardExport:
    """Return what to write for the cosigners named, or for all that can still sign, and journal that it leaves.

    The card asks devices to sign, so the policy must let them sign now.

    Raises:
        NotYet: APPROVALS_MISSING. PolicyDenied: POLICY_DENIED.
        Conflict: PROPOSAL_STATE, PROPOSAL_EXPIRED, DEVICE_LIMIT, FILE_EXISTS. InvalidInput: COSIGNER_UNKNOWN, and what
            a path is refused for.
    """
    with opened_folder(folder) as card:
        record = find_proposal(desk.state, named)
        require_live(desk.state, record)
        require_sole_holder(desk.state, record)
        require_allowed(decision_on(desk.state, desk.vault, record, Gate.SIGN))
        require_signable(record.psbt, desk.vault, desk.state, desk.surroundings.profiles)
        view = view_proposal(desk.state, desk.vault, record)
        files = _files(desk, record, view, _chosen(desk.vault, view, cosigners), devices)
        missing = _missing(card, files)
    if not record.has_left:
        desk.record([left_event(record.proposal_id, "export")])
    now = desk.state.proposals[record.proposal_id]
    return CardExport(view_proposal(desk.state, desk.vault, now), files, missing)


def write_card(folder: Path, planned: CardExport) -> None:
    """Write what is missing. Whatever stops it, each file is there whole or not at all.

    Raises:
        Conflict: FILE_EXISTS, WRITE_FAILED or WORKSPACE_READ_ONLY. InvalidInput: the card is gone.
    """
    with opened_folder(folder) as card:
        for one in planned.missing:
            card.create(one.name, one.content, mode=CARD_FILE_MODE)


def _chosen(vault: Vault, view: ProposalView, cosigners: Sequence[str]) -> tuple[str, ...]:
    names = [one.name for one in vault.cosigners]
    for name in cosigners:
        if name not in names:
            raise InvalidInput(
                Code.COSIGNER_UNKNOWN,
                f"the vault has no cosigner `{name}`",
                advice="They are: " + ", ".join(names) + ".",
            )
    signing = view.review.signing
    if signing.is_complete:
        raise Conflict(
            Code.PROPOSAL_STATE,
            f"proposal `{view.proposal_id[:16]}` has all the signatures that it needs",
            advice="Finalize it with `custody proposal finalize`.",
        )
    signed = [name for name in cosigners if name in signing.signed]
    if signed:
        raise Conflict(
            Code.PROPOSAL_STATE,
            f"{', '.join(signed)} signed proposal `{view.proposal_id[:16]}` already",
            advice="Name those who still have to sign: " + ", ".join(signing.unsigned) + ".",
        )
    return tuple(name for name in signing.unsigned if name in cosigners or not cosigners)


def _files(
    desk: Desk, record: ProposalRecord, view: ProposalView, cosigners: Sequence[str], devices: DeviceOf
) -> tuple[CardFile, ...]:
    psbt = collected_psbt(record)
    bundle = make_bundle(desk.office, record, psbt).to_bytes() if desk.state.governance.is_founded else None
    files: list[CardFile] = []
    checksums: list[CardFile] = []
    numbers = {one.name: number for number, one in enumerate(desk.vault.cosigners, 1)}
    for name in cosigners:
        said = desk.state.signers.of(name).description
        device = devices(None if said is None else said.device)
        stem = stem_of(record.proposal_id, numbers[name], name)
        reader = CardReader(name, stem, device, None if said is None else said.firmware, bundle is not None)
        content = f"{psbt.to_base64()}\n".encode() if device.takes_base64 else psbt.serialize()
        own = [CardFile(CardFileKind.PSBT, psbt_name(stem), name, content)]
        if bundle is not None:
            own.append(CardFile(CardFileKind.BUNDLE, bundle_name(stem), name, bundle))
        own.append(CardFile(CardFileKind.PAGE, page_name(stem), name, card_page(desk.vault, view, reader)))
        files += own
        checksums.append(checksums_file(stem, name, own))
    return (*files, *checksums)


def _missing(card: Folder, files: Sequence[CardFile]) -> tuple[CardFile, ...]:
    """Return the files that aren't there, after refusing a card on which another file has a name of ours."""
    there = {name.casefold(): name for name in card.names()}
    missing = []
    for one in files:
        found = there.get(one.name)
        if found is None:
            missing.append(one)
        elif found != one.name or not _is_same(card, one):
            raise _exists(card.path / found, "another file of that name is on the card")
    if not missing:
        raise _exists(card.path / files[-1].name, "this very export is on the card already")
    return tuple(missing)


def _is_same(card: Folder, one: CardFile) -> bool:
    try:
        return card.read(one.name, max_bytes=len(one.content)) == one.content
    except InvalidInput:  # longer, a link, or no plain file: whatever it is, it is not ours
        return False


def _exists(path: Path, why: str) -> Conflict:
    return Conflict(
        Code.FILE_EXISTS,
        f"`{path}` exists: {why}",
        advice="Nothing was written. Use another folder or card, or move that file away.",
    )
