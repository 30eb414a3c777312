"""The codecs of QR frames, on the few published vectors that must always be here, and each limit by itself."""

import time
import zlib

import pytest

from custody.documents.qr.bbqr import BbqrEncoding, BbqrType, bbqr_frames, deflate, inflate, smallest_encoding
from custody.documents.qr.bytewords import bytewords_decode, bytewords_encode
from custody.documents.qr.cbor import cbor_decode, cbor_encode
from custody.documents.qr.fountain import MAX_FRAGMENTS, Part, Xoshiro256, choose_fragments, fountain_parts
from custody.documents.qr.joiner import Dialect, Joiner
from custody.documents.qr.ur import ur_frames, wrap_bytes
from custody.errors import InvalidInput, NotYet, SecretRefused

MESSAGE = bytes(range(256)) * 5
PART_1 = "ur:bytes/1-9/lpadascfadaxcywenbpljkhdcahkadaemejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtdkgslpgh"
PART_2 = "ur:bytes/2-9/lpaoascfadaxcywenbpljkhdcagwdpfnsboxgwlbaawzuefywkdplrsrjynbvygabwjldapfcsgmghhkhstlrdcxaefz"
SINGLE = "ur:bytes/gdaebycpeofygoiyktlonlpkrksfutwyzmwmfyeozs"


def code_of(frames: list[str | bytes]) -> str:
    joiner = Joiner()
    with pytest.raises((InvalidInput, NotYet)) as caught:
        for frame in frames:
            joiner.add(frame)
        joiner.transfer()
    return str(caught.value.code)


def part_frame(*items: int | bytes) -> str:
    body = bytewords_encode(cbor_encode(tuple(items)))
    return f"ur:bytes/{items[0]!r}-{items[1]!r}/{body}"


def test_bytewords_are_those_of_the_paper() -> None:
    assert bytewords_encode(bytes([0, 1, 2, 128, 255])) == "aeadaolazmjendeoti"
    assert bytewords_decode("aeadaolazmjendeoti") == bytes([0, 1, 2, 128, 255])
    assert bytewords_decode(bytewords_encode(bytes(range(256)))) == bytes(range(256))


@pytest.mark.parametrize(
    "text", ["aeadaolazmjendeowf", "", "wolf", "aeadaolazmjendeot", "aeadaolazmjendeot1", "zz" * 9]
)
def test_bytewords_refuse_what_is_damaged(text: str) -> None:
    with pytest.raises(InvalidInput):
        bytewords_decode(text)


def test_generator_draws_the_published_numbers() -> None:
    random = Xoshiro256(b"Wolf")
    assert [random.next() % 100 for _ in range(10)] == [42, 81, 85, 8, 82, 84, 76, 73, 70, 88]


def test_fragments_are_chosen_as_published() -> None:
    random = Xoshiro256(b"Wolf")
    message = bytes(random.below(256) for _ in range(1024))
    chosen = [sorted(choose_fragments(number, 11, zlib.crc32(message))) for number in range(10, 20)]
    assert chosen == [[9], [10], [9], [2, 5, 6, 8, 9, 10], [8], [1, 5], [1], [0, 2, 4, 5, 8, 10], [5], [2]]


def test_published_frame_is_read() -> None:
    joiner = Joiner()
    assert joiner.add(SINGLE).is_complete
    assert joiner.transfer().payload == wrap_bytes(bytes.fromhex("00112233445566778899aabbccddeeff"))
    assert joiner.transfer().dialect is Dialect.UR


def test_sequence_number_may_go_far_beyond_the_number_of_fragments() -> None:
    joiner = Joiner()
    for part in fountain_parts(MESSAGE, 100):
        if part.seq_num > 4 * part.seq_len and joiner.add(_frame_of(part)).is_complete:
            break
    assert joiner.transfer().payload == MESSAGE


def _frame_of(part: Part) -> str:
    return f"ur:bytes/{part.seq_num}-{part.seq_len}/{bytewords_encode(part.to_cbor())}"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (part_frame(1, 1_000_000, 16_000_000, 0, b"x" * 16), "QR_TOO_LARGE"),
        (part_frame(1, MAX_FRAGMENTS + 1, (MAX_FRAGMENTS + 1) * 16, 0, b"x" * 16), "QR_TOO_LARGE"),
        (part_frame(1, 2, 1 << 40, 0, b"x" * 16), "QR_TOO_LARGE"),
        (part_frame(0, 2, 32, 0, b"x" * 16), "QR_MALFORMED"),
        (part_frame(1 << 32, 2, 32, 0, b"x" * 16), "QR_MALFORMED"),
        (part_frame(1, 2, 32, 1 << 32, b"x" * 16), "QR_MALFORMED"),
        (part_frame(1, 3, 32, 0, b"x" * 16), "QR_MALFORMED"),
        (part_frame(1, 0, 0, 0, b"x" * 16), "QR_MALFORMED"),
        (part_frame(1, 2, 32, 0, b""), "QR_MALFORMED"),
        (part_frame(1, 2, 32, 0, 0), "QR_MALFORMED"),
        (part_frame(1, 2, 32, 0), "QR_MALFORMED"),
        (PART_1.replace("1-9", "2-9"), "QR_MALFORMED"),
        (PART_1.replace("1-9", "1of9"), "QR_UNSUPPORTED"),
        (PART_1.replace("1-9/", "1-9/x/"), "QR_MALFORMED"),
        (SINGLE.replace("ur:", "UR:"), "QR_MALFORMED"),
        ("ur:", "QR_MALFORMED"),
        ("ur:bytes/24ly5cfctcj4pxqmfdtr82ch36c80gc9qhasmxdxs3", "QR_UNSUPPORTED"),
        ("", "QR_MALFORMED"),
        ("B$", "QR_MALFORMED"),
        ("B$HU0200" + "0" * 20_000, "QR_TOO_LARGE"),
        ("B$HU0100ABC", "QR_MALFORMED"),
        ("B$HU0000AB", "QR_MALFORMED"),
        ("B$2U0100AB", "QR_MALFORMED"),
        ("B$2U0100A", "QR_MALFORMED"),
        ("B$ZU010000000000", "QR_MALFORMED"),
        ("B$ZU0100" + "AAAAAAAA", "QR_MALFORMED"),
    ],
)
def test_damaged_frame_is_refused_by_name(frame: str, code: str) -> None:
    assert code_of([frame]) == code


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([PART_1, PART_2], "QR_INCOMPLETE"),
        ([PART_1, PART_2.replace("bytes", "psbt")], "QR_MIXED"),
        ([PART_1, SINGLE], "QR_MIXED"),
        ([SINGLE, PART_1], "QR_MIXED"),
        ([SINGLE, "B$HU010041"], "QR_MIXED"),
        ([SINGLE, "hello"], "QR_MIXED"),
        (["B$HU010041", SINGLE], "QR_MIXED"),
        (["B$HU010041", "hello"], "QR_MIXED"),
        (["B$HU010041", "B$HU010042"], "QR_MIXED"),
        (["B$HU020041", "B$HU020141", "B$HU020142"], "QR_MIXED"),
        (["B$HU020041", "B$HU02014142"], "QR_MIXED"),
        (["B$HU030041", "B$HU03014142"], "QR_MIXED"),
        (["hello", "world"], "QR_MIXED"),
        (["hello", SINGLE], "QR_MIXED"),
        (["hello", "B$HU010041"], "QR_MIXED"),
        ([], "QR_INCOMPLETE"),
    ],
)
def test_frames_of_several_payloads_are_refused(frames: list[str | bytes], code: str) -> None:
    assert code_of(frames) == code


def test_contradicting_parts_with_one_header_are_refused() -> None:
    genuine = next(fountain_parts(MESSAGE, 100))
    forged = Part(genuine.seq_num, genuine.seq_len, genuine.message_len, genuine.checksum, b"\0" * len(genuine.data))
    assert code_of([_frame_of(genuine), _frame_of(forged)]) == "QR_MIXED"


def test_wrong_checksum_of_the_whole_is_refused() -> None:
    parts = [part for _, part in zip(range(5), fountain_parts(b"a" * 50, 10), strict=False)]
    frames: list[str | bytes] = [
        _frame_of(Part(part.seq_num, 5, 50, part.checksum ^ 1, part.data)) for part in parts[:5]
    ]
    assert code_of(frames) == "QR_MIXED"


@pytest.mark.parametrize("name", ["crypto-seed", "seed", "crypto-bip39", "sskr", "crypto-eckey", "CRYPTO-SEED"])
def test_type_of_a_secret_is_refused_without_echo(name: str) -> None:
    with pytest.raises(SecretRefused) as caught:
        Joiner().add(f"{'UR' if name.isupper() else 'ur'}:{name}/1-2/canary")
    assert "canary" not in repr(caught.value.args) + caught.value.advice


@pytest.mark.parametrize("length", [16, 32])
def test_code_of_nothing_but_entropy_is_taken_for_a_seed(length: int) -> None:
    with pytest.raises(SecretRefused):
        Joiner().add(bytes(range(200, 200 + length)))


@pytest.mark.parametrize(
    "raw",
    (
        *("", "1b", "1817", "190017", "1a0000ffff", "1b00000000ffffffff", "5f4101ff", "9fff", "bfff", "f97c00", "20"),
        *("4401", "62c328", "a201010102", "a1f500", "a1410100", "9bffffffffffffffff", "bb7fffffffffffffff", "0000"),
        *("f7", "81" * 40 + "00", "ff", "1c", "fa00000000"),
    ),
)
def test_cbor_that_is_not_deterministic_is_refused(raw: str) -> None:
    with pytest.raises(InvalidInput):
        cbor_decode(bytes.fromhex(raw))


def test_cbor_is_written_in_its_shortest_form() -> None:
    for number in (0, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64 - 1):
        assert cbor_decode(cbor_encode(number)) == number
    assert cbor_encode({2: "b", 1: (True, False, None, b"\x01")}).hex() == "a20184f5f4f64101026162"
    with pytest.raises(InvalidInput):
        cbor_encode(2**64)


def test_inflating_stops_at_the_limit() -> None:
    started = time.monotonic()
    with pytest.raises(InvalidInput, match="inflate"):
        inflate(deflate(bytes(200_000_000)))
    with pytest.raises(InvalidInput, match="inflate"):
        inflate(deflate(bytes(100_001)))
    assert inflate(deflate(bytes(100_000))) == bytes(100_000)
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"\xff" + data])
def test_damaged_compression_is_refused(damage: object) -> None:
    assert callable(damage)
    with pytest.raises(InvalidInput):
        inflate(damage(deflate(MESSAGE)))


def test_bbqr_shows_no_more_frames_than_its_header_can_count() -> None:
    with pytest.raises(InvalidInput, match="1295"):
        list(bbqr_frames(bytes(100_000), BbqrType.BINARY, BbqrEncoding.HEX, 100))
    with pytest.raises(InvalidInput):
        list(bbqr_frames(b"x", BbqrType.BINARY, BbqrEncoding.HEX, 8))
    assert len(list(bbqr_frames(b"", BbqrType.BINARY, BbqrEncoding.HEX, 100))) == 1


def test_bbqr_compresses_where_that_helps() -> None:
    assert smallest_encoding(bytes(1000)) is BbqrEncoding.COMPRESSED
    assert smallest_encoding(Part(1, 1, 3, 0, b"abc").data) is BbqrEncoding.BASE32


def test_ur_frames_keep_within_the_size_asked_for() -> None:
    for _, frame in zip(range(200), ur_frames("crypto-psbt", wrap_bytes(MESSAGE), 150), strict=False):
        assert len(frame) <= 150
        assert frame == frame.upper()
    with pytest.raises(InvalidInput, match="too few"):
        next(ur_frames("crypto-psbt", wrap_bytes(MESSAGE), 40))
    with pytest.raises(InvalidInput, match="are shown"):
        ur_frames("bytes", bytes(16_000_001), 150)
