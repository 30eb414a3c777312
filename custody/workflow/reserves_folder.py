"""The folder or card with the proofs that signers are asked for: files to sign, the message, a page, checksums.

Nothing is overwritten; what lies there already to the byte is left. The checksums are written last, so that
where they stand everything they name is whole.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from custody.atomic import Folder, make_directory, opened_folder
from custody.audit.reserves.challenge import Challenge
from custody.audit.reserves.prove import Held, Route, UnsignedProof
from custody.bitcoin.psbt_returned import read_returned
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import Conflict, CustodyError, InvalidInput
from custody.spend.card import psbt_name
from custody.vault.vault import Vault
from custody.workflow.export_card import CARD_FILE_MODE
from custody.workflow.reserves_page import proof_page

MAX_FILES = 2_000
MAX_FILE_BYTES = 16_000_000


def write_proofs(
    folder: Path, vault: Vault, challenge: Challenge, held: Held, route: Route, proofs: Sequence[UnsignedProof]
) -> tuple[str, ...]:
    """Write everything into `folder`, which is made where it is missing; return the names of all files.

    Raises:
        Conflict: FILE_EXISTS where another file has one of the names; nothing is written then.
    """
    tag = challenge.digest[:8]
    files = [(psbt_name(proof.name), proof.psbt.serialize()) for proof in proofs]
    files.append((f"message-{tag}.txt", challenge.message))
    files.append((f"read-me-{tag}.txt", proof_page(vault, challenge, held, route, proofs)))
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files)
    files.append((f"sha256-{tag}.txt", sums.encode()))
    if not folder.exists():
        make_directory(folder)
    with opened_folder(folder) as opened:
        there = {name.casefold() for name in opened.names()}
        for name, content in files:
            if name.casefold() in there and not _is_same(opened, name, content):
                raise Conflict(
                    Code.FILE_EXISTS,
                    f"`{folder / name}` exists: another file of that name is there",
                    advice="Nothing was written. Use another folder or card, or move that file away.",
                )
        for name, content in files:
            if name.casefold() not in there:
                opened.create(name, content, mode=CARD_FILE_MODE)
    return tuple(name for name, _content in files)


def files_of(place: Path) -> list[tuple[str, bytes]]:
    """Return the files of a folder, each with its name, in their order; whether they are proofs is not judged.

    Raises:
        InvalidInput: FILE_TOO_LARGE, more files than any round of proofs has.
    """
    with opened_folder(place) as folder:
        names = folder.names()
        if len(names) > MAX_FILES:
            raise InvalidInput(
                Code.FILE_TOO_LARGE,
                f"`{place}` holds {len(names)} files, more than {MAX_FILES}",
                advice="Give a folder that holds the signed proofs alone.",
            )
        found = []
        for name in names:
            try:
                found.append((name, folder.read(name, max_bytes=MAX_FILE_BYTES)))
            except InvalidInput:  # a folder, a link, or a file larger than any proof
                continue
        return found


def require_returned(name: str, data: bytes) -> None:
    """Demand that a file that was named reads as a PSBT or a transaction.

    Raises:
        InvalidInput: it doesn't, with the file's name.
    """
    try:
        read_returned(data)
    except InvalidInput as error:
        raise InvalidInput(
            error.code,
            f"`{name}` is neither a PSBT nor a signed transaction: {error.message}",
            advice="Give the files that signers gave back, or the folder in which they lie.",
        ) from error


def is_proof(data: bytes) -> bool:
    """Whether a file reads as a PSBT or transaction, signed or not."""
    try:
        read_returned(data)
    except CustodyError:
        return False
    return True


def is_answer(data: bytes) -> bool:
    """Whether a file reads as a PSBT or transaction that carries any signature; whose, is judged later."""
    try:
        read = read_returned(data)
    except CustodyError:
        return False
    if isinstance(read, Transaction):
        return read.has_witness
    return any(one.partial_signatures or one.is_final for one in read.inputs)


def _is_same(folder: Folder, name: str, content: bytes) -> bool:
    try:
        return folder.read(name, max_bytes=len(content)) == content
    except InvalidInput:  # longer, a link, or no plain file: whatever it is, it is not ours
        return False
