"""A vault on paper: a page to print on A4, whose QR codes a camera brings back years later. Nothing in it moves.

It holds the vault document and the descriptor as codes and as text, and of the journal its head alone: enough to find
every coin, not enough to say who may spend them. Each group of codes is on a page of its own, because codes of two
payloads in one photograph are refused. The page loads nothing, runs nothing, and says nothing that is not derived.
"""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from string import Template

from custody.audit.backup import Manifest
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.keys import format_path
from custody.bitcoin.qr_payload import PayloadKind, QrPayload, ShowAs, frames_of
from custody.documents.display import escape, group_address
from custody.vault.formats import vault_file
from custody.vault.vault import Vault
from custody_hardware.qr_matrix import QUIET_ZONE, Matrix, matrix_of

CHARACTERS = 320
"""In one code: about 73 modules a side at level Q, which a cheap printer and an old telephone can do at 60 mm."""
_SHOWN_ADDRESSES = 3
_GROUP = 8


@dataclass(frozen=True, slots=True)
class SheetCodes:
    """What the sheet's codes say, group by group, each code as text."""

    head: tuple[str, ...]
    vault: tuple[str, ...]
    """BBQr: the vault file, to the byte."""
    descriptor: tuple[str, ...]
    """UR `crypto-output`, for wallets of other makers."""


def sheet_codes(vault: Vault, manifest: Manifest) -> SheetCodes:
    """Return what stands in the codes."""
    vault_text = QrPayload(PayloadKind.TEXT, vault_file.write(vault).encode())
    descriptor = QrPayload(PayloadKind.DESCRIPTOR, f"{vault.descriptor_text}\n".encode())
    return SheetCodes(
        head=(_head_text(manifest),),
        vault=tuple(frames_of(vault_text, ShowAs.BBQR, CHARACTERS)),
        descriptor=_pure_parts(frames_of(descriptor, ShowAs.UR, CHARACTERS)),
    )


def vault_sheet(vault: Vault, manifest: Manifest) -> str:
    """Return the page as HTML.

    Raises:
        InvalidInput: QR_TOO_LARGE, which no vault of at most 15 keys is.
    """
    codes = sheet_codes(vault, manifest)
    page = Template(files("custody_hardware").joinpath("vault_sheet.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=_text(f"vault {vault.name}, {vault.threshold} of {len(vault.cosigners)} on {vault.network}"),
        facts=_facts(vault, manifest),
        addresses=_addresses(vault),
        cosigners=_cosigners(vault),
        head_code=_figures(codes.head, "journal head"),
        mark=_text(f"{vault.name} {vault.vault_id[:_GROUP]}"),
        vault_id=_text(vault.vault_id),
        head=_text(manifest.head),
        name=_text(vault.name),
        count=len(codes.vault),
        vault_codes=_figures(codes.vault, "vault"),
        descriptor=_text(vault.descriptor_text),
        descriptor_count=len(codes.descriptor),
        descriptor_codes=_figures(codes.descriptor, "descriptor"),
    )


def _head_text(manifest: Manifest) -> str:
    return (
        f"custody vault {manifest.vault_name} ({manifest.network})\nvault_id {manifest.vault_id}\n"
        f"journal {manifest.journal_id}\nentries {manifest.entries}\nhead {manifest.head}\n"
    )


def _pure_parts(frames: Iterator[str]) -> tuple[str, ...]:
    """Return the parts of a UR that together are the whole: those before its mixtures."""
    first = next(frames)
    numbers = first.split("/")[1].partition("-")
    count = int(numbers[2]) if numbers[1] else 1
    return (first, *islice(frames, count - 1))


def _facts(vault: Vault, manifest: Manifest) -> str:
    rows = (
        ("vault_id", _grouped(vault.vault_id)),
        ("journal head", _grouped(manifest.head)),
        ("journal id", manifest.journal_id),
        ("entries", f"{manifest.entries}, the newest of {manifest.time}"),
        ("script", f"{vault.descriptor.script_type}, {vault.threshold} of {len(vault.cosigners)}"),
        ("no coin before", f"block {vault.birth_height}"),
    )
    return "".join(f"<tr><th>{_text(name)}</th><td><code>{_text(value)}</code></td></tr>" for name, value in rows)


def _addresses(vault: Vault) -> str:
    rows = (
        (Branch(branch).label, index, vault.address_at(branch, index))
        for branch in vault.descriptor.branches
        for index in range(_SHOWN_ADDRESSES)
    )
    return "".join(
        f"<tr><th>{label} {index}</th><td><code>{_text(group_address(address))}</code></td></tr>"
        for label, index, address in rows
    )


def _cosigners(vault: Vault) -> str:
    return "".join(
        f"<tr><th>{_text(one.name)}</th><td><code>{one.fingerprint.hex()}</code></td>"
        f"<td><code>{_text(format_path(one.key.origin.path))}</code></td></tr>"
        for one in vault.cosigners
    )


def _figures(codes: Sequence[str], what: str) -> str:
    return "".join(
        f"<figure>{_svg(matrix_of(code, None, level='q'))}"
        f"<figcaption>{what}{f' {number} of {len(codes)}' if len(codes) > 1 else ''}</figcaption></figure>"
        for number, code in enumerate(codes, start=1)
    )


def _svg(matrix: Matrix) -> str:
    """Return a code as one path, its quiet zone around it: sharp at every size."""
    side = matrix.size + 2 * QUIET_ZONE
    runs = "".join(
        f"M{start + QUIET_ZONE} {y + QUIET_ZONE}h{length}v1h-{length}z"
        for y, row in enumerate(matrix.rows)
        for start, length in _runs(row)
    )
    return f'<svg viewBox="0 0 {side} {side}" shape-rendering="crispEdges"><path d="{runs}"/></svg>'


def _runs(row: bytes) -> Iterator[tuple[int, int]]:
    start = None
    for x, module in enumerate((*row, 0)):
        if module and start is None:
            start = x
        elif not module and start is not None:
            yield start, x - start
            start = None


def _grouped(text: str) -> str:
    return " ".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def _text(text: str) -> str:
    return html.escape(escape(text))
