"""The watch-only wallet on the node: created blank, filled with the vault's two branches, rescanned.

The wallet never has a private key, and one that could have is refused. Both branches are imported
in one call; then the chain is rescanned from the vault's birth in pieces of a few hundred to a few
thousand blocks, so that no call outlives its time limit and an interrupted rescan goes on where it
stopped. How far it came is written into the same wallet as an unspendable `raw(OP_RETURN …)`
descriptor: it is as durable as the import, and needs no file of ours that could be lost or differ.
Until the last piece is done nobody gets a number.
"""

import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from custody.bitcoin.descriptor import Branch, Descriptor, add_checksum
from custody.bitcoin.hashing import sha256
from custody.bitcoin.network import Network
from custody.chain.answers import as_flag, as_integer, as_list, as_object, as_text
from custody.chain.json_rpc import JsonRpc, RpcRefused, RpcTimeout, RpcValue, invalid_answer
from custody.codes import Code
from custody.errors import ChainUnavailable, InvalidInput
from custody.ports import Progress, WatchRequest

WALLET_PREFIX = "custody-"
BIRTH_MARGIN_BLOCKS = 144
"""The rescan starts this much below the birth height."""

_WALLET_NOT_FOUND = -18
_WALLET_ERROR = -4
_ALREADY_LOADED = -35
_LOAD_TIMEOUT_S = 600
_PIECE_TIMEOUT_S = 1800
_WINDOW_STEP = 1000
_FIRST_PIECE = 500
_LARGEST_PIECE = 20_000
_FAST_PIECE_S = 5
_SLOW_PIECE_S = 20
_MARK_EVERY_S = 60
_MARK = struct.Struct(">8s20sIIIII")
_MARK_TAG = b"custody1"
_MARK_BODY_START = f"raw(6a{_MARK.size:02x}"


@dataclass(frozen=True, slots=True)
class _ScanMark:
    """How far the blocks were searched for one descriptor's window."""

    ends: tuple[int, int]
    """One past the last index, of the receive and the change branch."""
    start: int
    """Height of the first block searched."""
    end: int
    """Height of the last block searched."""
    complete: bool

    def covers(self, ends: tuple[int, int], start: int) -> bool:
        """Whether what was searched includes these windows from this height on."""
        return all(have >= want for have, want in zip(self.ends, ends, strict=True)) and self.start <= start

    def to_descriptor(self, descriptor_digest: bytes) -> str:
        """Return the mark as an unspendable script's descriptor."""
        payload = _MARK.pack(_MARK_TAG, descriptor_digest, *self.ends, self.start, self.end, int(self.complete))
        return add_checksum(f"{_MARK_BODY_START}{payload.hex()})")


class VaultWallet:
    """The wallet of one vault on one node."""

    def __init__(self, node: JsonRpc, network: Network, name: str) -> None:
        self.name = name
        self._node = node
        self._network = network
        self.rpc = node.for_wallet(name)

    def prepare(self, request: WatchRequest, start: int, progress: Progress) -> None:
        """Load or create the wallet, import what is missing, and rescan what was never searched.

        `start` is the height from which blocks are searched. Repeating it does nothing more.

        Raises:
            ChainUnavailable: WALLET_HAS_KEYS, NODE_BUSY while another rescan runs, and whatever
                the node refuses.
        """
        self._load_or_create()
        self._require_watch_only_and_idle()
        descriptor = Descriptor.parse(request.descriptor, self._network)
        needed = _window_ends(request)
        listed = self._listed()
        ends = self._imported_ends(listed, descriptor)
        if not all(have >= want for have, want in zip(ends, needed, strict=True)):
            # The node refuses a range that is shorter than the one it has.
            self._import_branches(
                descriptor, tuple(max(_rounded_up(want), have) for want, have in zip(needed, ends, strict=True))
            )
            listed = self._listed()
            ends = self._imported_ends(listed, descriptor)
        if not all(have >= want for have, want in zip(ends, needed, strict=True)):
            raise invalid_answer("importdescriptors", "claims success, but the descriptors are not in the wallet")
        digest = sha256(descriptor.to_text(self._network).encode())[:20]
        marks = _marks(listed, digest)
        if not any(mark.complete and mark.covers(needed, start) for mark in marks):
            done = [mark.end for mark in marks if mark.covers(ends, start)]
            self._rescan(_ScanMark(ends, start, max(done, default=start - 1), False), digest, progress)

    def _load_or_create(self) -> None:
        loaded = as_list(self._node.call("listwallets"), "listwallets")
        if self.name in loaded:
            return
        patient = self._node.with_timeout(_LOAD_TIMEOUT_S)
        try:
            patient.call("loadwallet", {"filename": self.name, "load_on_startup": False})
        except RpcTimeout as error:
            raise _busy("the node is still loading the vault's wallet") from error
        except RpcRefused as error:
            if error.number == _WALLET_NOT_FOUND:
                patient.call("createwallet", _blank_wallet(self.name))
            elif error.number == _WALLET_ERROR and "prune" in error.words.lower():
                raise _pruned_past_wallet(self.name) from error
            elif error.number == _WALLET_ERROR and "already being loaded" in error.words.lower():
                raise _busy("the node is still loading the vault's wallet") from error
            elif error.number != _ALREADY_LOADED:
                raise

    def _require_watch_only_and_idle(self) -> None:
        answer = as_object(self.rpc.call("getwalletinfo"), "getwalletinfo")
        keys = as_flag(answer.get("private_keys_enabled"), "getwalletinfo")
        descriptors = as_flag(answer.get("descriptors"), "getwalletinfo")
        if keys or not descriptors:
            raise ChainUnavailable(
                Code.WALLET_HAS_KEYS,
                f"the node's wallet `{self.name}` can hold private keys or no descriptors",
                advice="Name another wallet in custody.yaml: only a blank watch-only wallet may hold the vault.",
            )
        if answer.get("scanning") is not False:
            raise _busy("the node is still searching blocks for the vault's wallet")

    def _listed(self) -> list[Mapping[str, RpcValue]]:
        answer = as_object(self.rpc.call("listdescriptors"), "listdescriptors")
        entries = as_list(answer.get("descriptors"), "listdescriptors")
        return [as_object(entry, "listdescriptors") for entry in entries]

    def _imported_ends(self, listed: list[Mapping[str, RpcValue]], wanted: Descriptor) -> tuple[int, int]:
        ends = {int(Branch.RECEIVE): 0, int(Branch.CHANGE): 0}
        for entry in listed:
            found = self._parsed(as_text(entry.get("desc"), "listdescriptors"))
            if found is not None and replace(found, branches=wanted.branches) == wanted and "range" in entry:
                low, high = (
                    as_integer(bound, "listdescriptors") for bound in as_list(entry["range"], "listdescriptors")[:2]
                )
                for branch in found.branches:
                    ends[int(branch)] = max(ends[int(branch)], high + 1 if low == 0 else 0)
        return ends[Branch.RECEIVE], ends[Branch.CHANGE]

    def _parsed(self, text: str) -> Descriptor | None:
        # The owner of the node may have put other descriptors there; those are not ours to judge.
        try:
            return Descriptor.parse(text, self._network)
        except InvalidInput:
            return None

    def _import_branches(self, descriptor: Descriptor, ends: tuple[int, ...]) -> None:
        requests: list[RpcValue] = [
            {
                "desc": descriptor.single_branch_text(branch, self._network),
                "range": [0, ends[branch] - 1],
                "timestamp": "now",
                "internal": branch == Branch.CHANGE,
            }
            for branch in descriptor.branches
            if ends[branch]
        ]
        self._import(requests)

    def _import(self, requests: list[RpcValue]) -> None:
        try:
            answers = as_list(
                self.rpc.with_timeout(_LOAD_TIMEOUT_S).call("importdescriptors", [requests]), "importdescriptors"
            )
        except RpcTimeout as error:
            raise _busy("the node is still importing the vault's descriptors") from error
        results = [as_object(answer, "importdescriptors") for answer in answers]
        if len(results) != len(requests):
            raise invalid_answer("importdescriptors", "has another length than the question")
        for result in results:
            if not as_flag(result.get("success"), "importdescriptors"):
                raise _import_refused(result)

    def _rescan(self, mark: _ScanMark, digest: bytes, progress: Progress) -> None:
        tip = as_integer(self._node.call("getblockcount"), "getblockcount")
        first, piece, marked_at = mark.end + 1, _FIRST_PIECE, time.monotonic_ns()
        while tip - first >= piece:
            started = time.monotonic_ns()
            self._rescan_piece(first, first + piece - 1)
            mark = replace(mark, end=first + piece - 1)
            progress("searching blocks", mark.end - mark.start, tip - mark.start)
            if _seconds_since(marked_at) >= _MARK_EVERY_S:
                self._set_mark(mark, digest)
                marked_at = time.monotonic_ns()
            first, piece = mark.end + 1, _next_piece(piece, _seconds_since(started))
        # The last piece has no end: the node adds its mempool to a rescan that reaches the tip.
        self._rescan_piece(min(first, tip), None)
        self._set_mark(replace(mark, end=max(tip, mark.end), complete=True), digest)
        progress("searching blocks", tip - mark.start, tip - mark.start)

    def _rescan_piece(self, first: int, last: int | None) -> None:
        params: list[RpcValue] = [first] if last is None else [first, last]
        try:
            answer = self.rpc.with_timeout(_PIECE_TIMEOUT_S).call("rescanblockchain", params)
        except RpcTimeout as error:
            raise _busy("the node is still searching blocks for the vault's wallet") from error
        except RpcRefused as error:
            if error.number == _WALLET_ERROR and "rescanning" in error.words.lower():
                raise _busy("the node is already searching blocks for the vault's wallet") from error
            raise
        result = as_object(answer, "rescanblockchain")
        start = as_integer(result.get("start_height"), "rescanblockchain")
        stop = as_integer(result.get("stop_height"), "rescanblockchain")
        if start != first or stop < (first if last is None else last):
            raise invalid_answer("rescanblockchain", f"covers blocks {start} to {stop}, not those asked for")

    def _set_mark(self, mark: _ScanMark, digest: bytes) -> None:
        self._import([{"desc": mark.to_descriptor(digest), "timestamp": "now"}])


def wallet_name(vault_id: str) -> str:
    """Return the name of a vault's wallet on a node."""
    return WALLET_PREFIX + vault_id[:16]


def _blank_wallet(name: str) -> dict[str, RpcValue]:
    return {
        "wallet_name": name,
        "disable_private_keys": True,
        "blank": True,
        "descriptors": True,
        "load_on_startup": False,
    }


def _window_ends(request: WatchRequest) -> tuple[int, int]:
    ends = [0, 0]
    for watched in request.scripts:
        ends[watched.branch] = max(ends[watched.branch], watched.index + 1)
    return ends[0], ends[1]


def _rounded_up(end: int) -> int:
    # Each longer window costs a rescan: room for a thousand more saves most of them.
    return (end // _WINDOW_STEP + 2) * _WINDOW_STEP if end else 0


def _next_piece(piece: int, seconds: int) -> int:
    if seconds < _FAST_PIECE_S:
        return min(piece * 2, _LARGEST_PIECE)
    return max(piece // 2, 1) if seconds > _SLOW_PIECE_S else piece


def _seconds_since(start_ns: int) -> int:
    return (time.monotonic_ns() - start_ns) // 1_000_000_000


def _marks(listed: list[Mapping[str, RpcValue]], digest: bytes) -> list[_ScanMark]:
    marks = []
    for entry in listed:
        body = as_text(entry.get("desc"), "listdescriptors").partition("#")[0]
        payload = body.removeprefix(_MARK_BODY_START).removesuffix(")")
        if body == payload or len(payload) != 2 * _MARK.size:
            continue
        try:
            tag, of, receive, change, start, end, complete = _MARK.unpack(bytes.fromhex(payload))
        except ValueError:
            continue
        if tag == _MARK_TAG and of == digest:
            marks.append(_ScanMark((receive, change), start, end, complete == 1))
    return marks


def _busy(what: str) -> ChainUnavailable:
    return ChainUnavailable(
        Code.NODE_BUSY, what, advice="Wait until the node has finished, then repeat: it goes on where it stopped."
    )


def _pruned_past_wallet(name: str) -> ChainUnavailable:
    return ChainUnavailable(
        Code.PRUNED_BELOW_BIRTH,
        f"the node has pruned blocks that its wallet `{name}` has not seen yet",
        advice="Use a node that still has these blocks, or let this one download them again (-reindex).",
    )


def _import_refused(result: Mapping[str, RpcValue]) -> ChainUnavailable:
    error = as_object(result.get("error"), "importdescriptors")
    return RpcRefused(
        "importdescriptors",
        as_integer(error.get("code"), "importdescriptors", low=-(2**31)),
        as_text(error.get("message"), "importdescriptors"),
    )
