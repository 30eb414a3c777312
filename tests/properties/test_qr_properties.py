"""Any payload comes back from frames that were dropped, shuffled and repeated; junk is refused, never a crash."""

import random
from collections.abc import Callable, Iterator
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from custody.documents.qr.bbqr import BbqrEncoding, BbqrType, bbqr_frames
from custody.documents.qr.bytewords import bytewords_encode
from custody.documents.qr.cbor import cbor_decode, cbor_encode
from custody.documents.qr.joiner import Joiner
from custody.documents.qr.ur import unwrap_bytes, ur_frames, wrap_bytes
from custody.errors import CustodyError

PAYLOADS = st.binary(min_size=1, max_size=3_000)
ROOM = st.integers(min_value=80, max_value=600)
BEGINNINGS = st.sampled_from(["", "ur:", "UR:", "ur:bytes/", "ur:bytes/1-2/", "B$", "B$HP0100", "B$2U0201", "B$ZJ0100"])


def join_all(frames: Iterator[str]) -> bytes:
    joiner = Joiner()
    for frame in frames:
        if joiner.add(frame).is_complete:
            break
    return joiner.transfer().payload


@given(PAYLOADS, ROOM, st.randoms(use_true_random=False))
def test_ur_survives_dropped_shuffled_and_repeated_frames(payload: bytes, room: int, chance: random.Random) -> None:
    frames = list(islice(ur_frames("bytes", wrap_bytes(payload), room), 400))
    kept = [frame for frame in frames if chance.random() < 0.6] or frames
    kept += chance.choices(kept, k=10)
    chance.shuffle(kept)
    assert unwrap_bytes(join_all(iter(kept))) == payload


@given(PAYLOADS, ROOM, st.sampled_from(BbqrEncoding), st.sampled_from(BbqrType), st.randoms(use_true_random=False))
def test_bbqr_survives_shuffled_and_repeated_frames(
    payload: bytes, room: int, encoding: BbqrEncoding, file_type: BbqrType, chance: random.Random
) -> None:
    frames = list(bbqr_frames(payload, file_type, encoding, room))
    assert all(len(frame) <= room for frame in frames)
    shuffled = frames + chance.choices(frames, k=5)
    chance.shuffle(shuffled)
    joiner = Joiner()
    for frame in shuffled:
        joiner.add(frame)
    assert (joiner.transfer().payload, joiner.transfer().declared) == (payload, file_type.value)


def refuses_or_reads(act: Callable[[], object]) -> None:
    try:
        act()
    except CustodyError as error:
        assert error.message and error.advice


@given(BEGINNINGS, st.text(max_size=80))
def test_junk_frames_raise_nothing_but_ours(beginning: str, junk: str) -> None:
    joiner = Joiner()
    refuses_or_reads(lambda: joiner.add(beginning + junk))
    refuses_or_reads(joiner.transfer)


@given(st.binary(max_size=80))
def test_junk_in_a_sound_checksum_raises_nothing_but_ours(junk: bytes) -> None:
    for frame in (f"ur:bytes/{bytewords_encode(junk or b'x')}", f"ur:bytes/1-2/{bytewords_encode(junk or b'x')}", junk):
        joiner = Joiner()
        refuses_or_reads(lambda joiner=joiner, frame=frame: joiner.add(frame))  # type: ignore[misc]
        refuses_or_reads(joiner.transfer)


@given(st.lists(st.integers(0, 2**40), min_size=4, max_size=4), st.binary(max_size=40))
def test_any_numbers_in_a_frame_raise_nothing_but_ours(numbers: list[int], data: bytes) -> None:
    body = bytewords_encode(cbor_encode((*numbers, data)))
    refuses_or_reads(lambda: Joiner().add(f"ur:bytes/{numbers[0]}-{numbers[1]}/{body}"))


@given(st.binary(max_size=60))
def test_cbor_that_is_read_means_the_same_when_written(raw: bytes) -> None:
    try:
        value = cbor_decode(raw)
    except CustodyError:
        return
    again = cbor_encode(value)
    assert cbor_decode(again) == value
    assert len(again) == len(raw)
