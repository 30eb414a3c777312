"""`custody qr`: payloads shown as QR codes and read from them. No workspace, no network.

Reading takes claims: what comes out is written down or shown, and reviewed by `psbt review` or an import.
"""

import base64
import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from custody import atomic
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.qr_payload import PayloadKind, QrPayload, ShowAs, payload_of, recognise
from custody.codes import Code
from custody.documents.qr.joiner import Joiner, Transfer
from custody.errors import Conflict, InvalidInput, JsonValue, UsageError
from custody.vault.formats import vault_file
from custody.vault.vault import VAULT_FORMAT
from custody_cli.options import NounGroup, examples, read_input
from custody_cli.output import Answer, Line, Style, Styled
from custody_cli.qr_for import codes_for
from custody_cli.qr_screen import animate, density_for_screen, is_screen
from custody_cli.qr_sources import join_camera, join_sources
from custody_cli.session import Session
from custody_hardware.qr_blocks import block_lines
from custody_hardware.qr_camera import LinuxKernel, require_linux
from custody_hardware.qr_matrix import MAX_VERSION, MIN_VERSION, Matrix
from custody_hardware.qr_page import page
from custody_hardware.qr_pictures import gif, png
from custody_hardware.qr_show import Show, matrices_of

_MAX_SHOWN = 22_000_000
"""Bytes of a file to show: a PSBT at its limit, in base64."""
_DEFAULT_DENSITY = 12
_IN_BASE64 = (PayloadKind.PSBT, PayloadKind.CBOR, PayloadKind.BINARY)


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody qr show payment.psbt",
        "custody qr show payment.psbt --dialect bbqr --html payment.html",
        "custody qr read photo-1.png photo-2.png -o signed.psbt",
    ),
)
def qr() -> None:
    """Show a PSBT, a transaction or a descriptor as QR codes, and read them. No workspace, no network."""


@qr.command(
    epilog=examples(
        "custody qr show payment.psbt",
        "custody --vault reserve qr show payment.psbt --for bo",
        "custody qr show payment.psbt --dialect bbqr --density 20 --fps 4",
        "custody qr show payment.psbt --png frames",
        "custody qr show vault.yaml --html vault.html",
    )
)
@click.argument("file", metavar="FILE")
@click.option(
    "--dialect",
    type=click.Choice([str(dialect) for dialect in ShowAs]),
    help="What the device reads: docs/qr.md says which.  [default: ur]",
)
@click.option("--for", "cosigner", metavar="COSIGNER", help="In the dialect that is kept for this signer's device.")
@click.option(
    "--density",
    type=click.IntRange(MIN_VERSION, MAX_VERSION),
    metavar="N",
    help=f"Largest version of code, {MIN_VERSION} (coarse) to {MAX_VERSION} (fine).  [default: 12, or what fits]",
)
@click.option("--fps", type=click.IntRange(1, 30), default=4, show_default=True, metavar="N", help="Frames a second.")
@click.option("--scale", type=click.IntRange(1, 40), default=6, show_default=True, metavar="N", help="Pixels a module.")
@click.option("--rounds", type=click.IntRange(min=1), metavar="N", help="End the show on the terminal after N rounds.")
@click.option("--invert", is_flag=True, help="Swap ink and paper in text that is not shown on a terminal.")
@click.option("--png", "png_folder", metavar="DIR", help="Write a picture for each frame into a new folder.")
@click.option("--gif", "gif_file", metavar="OUT", help="Write one animated picture.")
@click.option("--html", "html_file", metavar="OUT", help="Write one page that animates itself, without a network.")
@click.pass_obj
def show(
    session: Session,
    /,
    file: str,
    dialect: str | None,
    cosigner: str | None,
    density: int | None,
    png_folder: str | None,
    gif_file: str | None,
    html_file: str | None,
    **how: "int | bool | None",
) -> Answer:
    """Show FILE as QR codes: on the terminal until Enter is pressed, or as pictures, or as a page.

    FILE is a PSBT, a transaction, a descriptor, a vault file (shown as its descriptor), a cosigner's key, JSON or text.
    --for looks into the vault's journal.
    """
    if dialect is not None and cosigner is not None:
        raise UsageError(Code.USAGE, "--dialect and --for exclude each other", advice="Give one of them.")
    if sum(target is not None for target in (png_folder, gif_file, html_file)) > 1:
        raise UsageError(Code.USAGE, "--png, --gif and --html exclude each other", advice="Give one of them.")
    codes = None if cosigner is None else codes_for(session, cosigner)
    show_as = ShowAs(dialect or ShowAs.UR) if codes is None else codes.show_as
    payload = _payload_at(file) if codes is None else codes.shown(_payload_at(file))
    on_screen = png_folder is gif_file is html_file is None and not session.as_json and is_screen(sys.stdout)
    fine = density_for_screen(density) if on_screen else density or _DEFAULT_DENSITY
    shown = Show(payload, show_as, fine)
    fps, scale, rounds = int(how["fps"] or 1), int(how["scale"] or 1), how["rounds"]
    if on_screen:
        count = animate(shown, frames_per_second=fps, rounds=rounds, stream=sys.stdout)
        return Answer({}, lambda: (f"{count} frames shown in {show_as}", f"sha256 {_digest(payload)}"))
    frames = shown.round()
    matrices = tuple(matrices_of(frames))
    json = _shown_json(shown, frames)
    if png_folder is not None:
        return _written(json, _write_pictures(Path(png_folder), matrices, scale))
    if gif_file is not None:
        atomic.create_file_from(Path(gif_file), gif(matrices, scale, fps))
        return _written(json, (gif_file,))
    if html_file is not None:
        text = page(matrices, title=Path(file).name, digest=_digest(payload), frames_per_second=fps)
        atomic.create_file(Path(html_file), text.encode())
        return _written(json, (html_file,))
    return Answer(json, lambda: _block_text(matrices, show_as, ink_is_light=bool(how["invert"])))


@qr.command(
    epilog=examples(
        "custody qr read photo.png -o signed.psbt",
        "custody qr read frames/*.png recording.mp4 -o signed.psbt",
        "custody qr read --camera /dev/video0 -o signed.psbt",
        "custody qr read - -o signed.psbt",
    )
)
@click.argument("files", metavar="FILE…", nargs=-1)
@click.option(
    "--camera", metavar="DEVICE", help="Look through this camera until all is there, instead of FILEs. Linux."
)
@click.option("-o", "--output", metavar="OUT", help="A new file for the content: a PSBT in binary, all else as it is.")
@click.pass_obj
def read(session: Session, files: tuple[str, ...], camera: str | None, output: str | None) -> Answer:
    """Read QR codes from pictures, videos, text with one frame a line (`-` is stdin), or a camera.

    Frames come in any order and may repeat; all must be of one payload. Exit 5 while frames are missing, 6 when they
    are mixed or damaged, 8 without the camera or the library for pictures.
    """
    if bool(files) == (camera is not None):
        raise UsageError(Code.USAGE, "give FILEs or --camera", advice="See `custody qr read --help`.")
    if output is not None:
        atomic.require_creatable(Path(output))  # known before anybody stands at the camera
    transfer = (join_sources(files, session) if camera is None else _seen_by(camera, session)).transfer()
    payload = payload_of(transfer)
    if output is not None:
        atomic.create_file(Path(output), _file_content(payload))
    json = _read_json(transfer, payload, output)
    return Answer(json, lambda: _read_lines(transfer, payload, output))


def _seen_by(camera: str, session: Session) -> Joiner:
    require_linux()
    return join_camera(camera, session, LinuxKernel())


def _payload_at(file: str) -> QrPayload:
    """Return what a file is; a vault file as the descriptor of its vault."""
    data = read_input(file, max_bytes=_MAX_SHOWN)
    if not data:
        raise InvalidInput(Code.QR_NOT_FOUND, "the file is empty", advice="Check that it is the file that you mean.")
    if VAULT_FORMAT.encode() in data[: vault_file.MAX_BYTES] and b"\nformat:" in b"\n" + data:
        vault = vault_file.parse(data)
        return QrPayload(PayloadKind.DESCRIPTOR, f"{vault.descriptor.to_text(vault.network)}\n".encode())
    return recognise(data)


def _write_pictures(folder: Path, matrices: tuple[Matrix, ...], scale: int) -> tuple[str, ...]:
    if folder.exists():
        raise Conflict(Code.FILE_EXISTS, f"`{folder}` exists", advice="Name a folder that doesn't exist yet.")
    atomic.make_directory(folder)
    width = len(str(len(matrices)))
    paths = [folder / f"frame-{number:0{width}}.png" for number in range(1, len(matrices) + 1)]
    for path, matrix in zip(paths, matrices, strict=True):
        atomic.create_file(path, png(matrix, scale))
    return tuple(str(path) for path in paths)


def _written(json: dict[str, JsonValue], files: tuple[str, ...]) -> Answer:
    def lines() -> Iterator[Line]:
        yield f"wrote {files[0]}" if len(files) == 1 else f"wrote {len(files)} pictures, {files[0]} to {files[-1]}"
        yield f"{json['kind']}, {json['bytes']} bytes, {json['frame_count']} frames in {json['dialect']}"
        yield f"sha256 {json['sha256']}"

    return Answer({**json, "files": list(files)}, lines)


def _shown_json(shown: Show, frames: tuple[str, ...]) -> dict[str, JsonValue]:
    return {
        "kind": str(shown.payload.kind),
        "dialect": str(shown.show_as),
        "density": shown.density,
        "bytes": len(shown.payload.data),
        "sha256": _digest(shown.payload),
        "frame_count": len(frames),
        "frames": list(frames),
    }


def _block_text(matrices: tuple[Matrix, ...], show_as: ShowAs, *, ink_is_light: bool) -> Iterator[Line]:
    for number, matrix in enumerate(matrices, start=1):
        yield f"frame {number} of {len(matrices)}, {show_as}"
        yield from block_lines(matrix, ink_is_light=ink_is_light)


def _read_json(transfer: Transfer, payload: QrPayload, output: str | None) -> Mapping[str, JsonValue]:
    return {
        "kind": str(payload.kind),
        "dialect": str(transfer.dialect),
        "declared": transfer.declared,
        "frames": transfer.frames,
        "bytes": len(payload.data),
        "sha256": _digest(payload),
        **({"unsigned_txid": Psbt.parse(payload.data).unsigned_txid} if payload.kind is PayloadKind.PSBT else {}),
        **({"file": output} if output is not None else {"encoding": _encoding(payload), "content": _content(payload)}),
    }


def _read_lines(transfer: Transfer, payload: QrPayload, output: str | None) -> Iterator[Line]:
    if output is None:
        yield from _content(payload).splitlines()
        return
    yield Styled(f"wrote {output}: {payload.kind}, {len(payload.data)} bytes from {transfer.frames} frames", Style.GOOD)
    yield f"sha256 {_digest(payload)}"
    if payload.kind is PayloadKind.PSBT:
        yield f"unsigned txid {Psbt.parse(payload.data).unsigned_txid}"
        yield f"Review it before anybody signs: custody psbt review {output} --vault-file vault.yaml"


def _file_content(payload: QrPayload) -> bytes:
    """Return what the file gets: a transaction in hex as other commands write it, all else as it came."""
    return f"{payload.data.hex()}\n".encode() if payload.kind is PayloadKind.TRANSACTION else payload.data


def _content(payload: QrPayload) -> str:
    if payload.kind is PayloadKind.TRANSACTION:
        return payload.data.hex()
    return base64.b64encode(payload.data).decode("ascii") if payload.kind in _IN_BASE64 else payload.data.decode()


def _encoding(payload: QrPayload) -> str:
    if payload.kind is PayloadKind.TRANSACTION:
        return "hex"
    return "base64" if payload.kind in _IN_BASE64 else "utf-8"


def _digest(payload: QrPayload) -> str:
    return hashlib.sha256(payload.data).hexdigest()
