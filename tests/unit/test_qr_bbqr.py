"""BBQr to the letter: published frames in each encoding, how payloads are split, and each header by itself."""

import base64

import pytest

from custody.documents.qr.bbqr import BbqrEncoding, BbqrType, bbqr_frames, deflate, inflate, read_bbqr_frame
from custody.documents.qr.joiner import Joiner
from custody.errors import InvalidInput

PUBLISHED_HEX = (
    "B$HT0100020000000001020D0B15EDA761956158644571CB32675916CE29DE46C52ADB133F80902A7C7BD80000000000FFFF"
    "FFFF4F72B07125366B7AA7F09F68A6F02CEB535B6EBB854E679BA3864280827FB2E90000000000FFFFFFFF0278CDF5050000"
    "00001976A9145AD30C5BAAD27F885137C313F07166EBB39C747288AC78CDF505000000001976A9140C62CCA88E238EB3CCA9"
    "0E3B855B871337DEB0A088AC0247304402206688816BE2804F5FB2C7F05A3999242891CBB85E59EEDA0881724E503FB1EBA1"
    "02204F2770D58B8714622BE70DF6D99915EB0B1A4C1AF7FB3F187F4A018675B8047F0121032BE372801D8460DDA52AE178AA"
    "D774A54800BA56F949C97B8A2F51E299209D06024730440220630C1E4E92DA33BD79EB1892AE594A809239066F45CC200CB2"
    "7CEB0276593C8202206739BB1B53854DC5B04F164F43CEC241374EC0DA3F4647D6A054315CB949BAF1012102D922903B8EB2"
    "95BB232FC0304D88CF1755A60179156FA8F84970F0D4072D5FBB00000000"
)
PUBLISHED_BASE32 = (
    "B$2T0100AIAAAAAAAEBA2CYV5WTWDFLBLBSEK4OLGJTVSFWOFHPENRJK3MJT7AEQFJ6HXWAAAAAAAAH777776T3SWBYSKNTLPKT7"
    "BH3IU3YCZ22TLNXLXBKOM6N2HBSCQCBH7MXJAAAAAAAA777777YCPDG7KBIAAAAAAGLWVEKFVUYMLOVNE74IKE34GE7QOFTOXM44"
    "ORZIRLDYZX2QKAAAAAABS5VJCQGGFTFIRYRY5M6MVEHDXBK3Q4JTPXVQUCEKYASHGBCAEIDGRCAWXYUAJ5P3FR7QLI4ZSJBISHF3"
    "QXSZ53NARALSJZID7MPLUEBCATZHODKYXBYUMIV6ODPW3GMRL2YLDJGBV573H4MH6SQBQZ23QBD7AEQQGK7DOKAB3BDA3WSSVYLY"
    "VLLXJJKIAC5FN6KJZF5YUL2R4KMSBHIGAJDTARACEBRQYHSOSLNDHPLZ5MMJFLSZJKAJEOIGN5C4YIAMWJ6OWATWLE6IEARAM443"
    "WG2TQVG4LMCPCZHUHTWCIE3U5QG2H5DEPVVAKQYVZOKJXLYQCIIC3ERJAO4OWKK3WIZPYAYE3CGPC5K2MALZCVX2R6CJODYNIBZN"
    "L65QAAAAAA"
)
PUBLISHED_COMPRESSED = (
    "B$ZT0100MNRAAASGEZPG5UNXZMJ2OJSGUS4BNHRWJKHRIO5HPHH63KGWNVQ7XBQJLI25KN2AVIMP4A4BP7IYMQSVWPWKVZI74ZTS"
    "Z65A6M5DQOTPO6VV76XMYVWU4DKN6WNV5QQVGJKZZ7OKBLRERFVNCSE3VTATXXVFE7KHUD4WDYIPQVU26N6PFEU6UWEDVSBCP2OM"
    "RI7OLPWNM5LPEWNXI23QXG673OYKAYYNSO5YCC4TIJNEOY7WUMDP76CNY47UIWOOKTIZQ6D2I5OOJO23DSGUK7QB6YNV6L3EKLYF"
    "OL5Y3LOS5EVE7WOPPW6NTGRK7ONFPSSL575WS6UPOYTMFPO4CUWPVDEKZ7NYVBA3MJPB5ZJK3BYVVOXJOLHVMDMBL5WT6NSHLF36"
    "4CRZSCTT3EQFMJPTZD4U3OTFXS37FNOEUR2ZCXQNSMWNT4S5Z4UPA3FKPHGVIFTJ2PCKJEDOXFNTVOGV67UAM7ZRP7TXHBY4ZX6Q"
    "5XFSO5Z37NRAYQYGNJ7HV2HYZCSMG6KSMWHXNWNLUW2Z76AIC36HPHY5AZMMSWRPSK36PALHZOGCVYN36G7EM4AA"
)

PAYLOAD = bytes(range(23))


def join(frames: list[str]) -> bytes:
    joiner = Joiner()
    for frame in frames:
        joiner.add(frame)
    return joiner.transfer().payload


def test_published_frames_of_one_transaction_hold_the_same_bytes() -> None:
    payload = bytes.fromhex(PUBLISHED_HEX[8:])
    assert len(payload) == 376
    assert [join([frame]) for frame in (PUBLISHED_HEX, PUBLISHED_BASE32, PUBLISHED_COMPRESSED)] == [payload] * 3
    assert read_bbqr_frame(PUBLISHED_COMPRESSED).header == ("Z", "T", 1)


def test_published_frames_are_written_to_the_letter() -> None:
    payload = bytes.fromhex(PUBLISHED_HEX[8:])
    for encoding, published in ((BbqrEncoding.HEX, PUBLISHED_HEX), (BbqrEncoding.BASE32, PUBLISHED_BASE32)):
        assert list(bbqr_frames(payload, BbqrType.TRANSACTION, encoding, 4_296)) == [published]
    # Which bytes compression gives is the library's affair; that it is raw deflate of the small window is not.
    compressed = list(bbqr_frames(payload, BbqrType.TRANSACTION, BbqrEncoding.COMPRESSED, 4_296))
    assert compressed[0][:8] == PUBLISHED_COMPRESSED[:8]
    assert join(compressed) == payload
    assert inflate(base64.b32decode(PUBLISHED_COMPRESSED[8:] + "=" * (-len(PUBLISHED_COMPRESSED[8:]) % 8))) == payload
    assert len(deflate(payload)) < len(payload)


@pytest.mark.parametrize("letter", "PTJCUBX")
def test_letters_are_those_of_the_specification(letter: str) -> None:
    frame = read_bbqr_frame(f"B$H{letter}0201AB")
    assert (frame.type.value, frame.total, frame.index, frame.body) == (letter, 2, 1, b"\xab")
    assert next(bbqr_frames(b"\xab", BbqrType(letter), BbqrEncoding.HEX, 100)) == f"B$H{letter}0100AB"


@pytest.mark.parametrize(
    ("encoding", "room", "lengths"),
    [
        (BbqrEncoding.HEX, 8 + 20, [8, 8, 7]),
        (BbqrEncoding.HEX, 8 + 21, [8, 8, 7]),
        (BbqrEncoding.HEX, 8 + 2, [1] * 23),
        (BbqrEncoding.HEX, 8 + 46, [23]),
        (BbqrEncoding.HEX, 8 + 45, [12, 11]),
        (BbqrEncoding.BASE32, 8 + 16, [10, 10, 3]),
        (BbqrEncoding.BASE32, 8 + 15, [5, 5, 5, 5, 3]),
        (BbqrEncoding.BASE32, 8 + 32, [15, 8]),
        (BbqrEncoding.BASE32, 8 + 40, [23]),
    ],
)
def test_payload_is_split_into_equal_frames_of_whole_bytes(
    encoding: BbqrEncoding, room: int, lengths: list[int]
) -> None:
    frames = list(bbqr_frames(PAYLOAD, BbqrType.BINARY, encoding, room))
    read = [read_bbqr_frame(frame) for frame in frames]
    assert [len(frame.body) for frame in read] == lengths
    assert [frame.index for frame in read] == list(range(len(lengths)))
    assert {frame.total for frame in read} == {len(lengths)}
    assert max(map(len, frames)) <= room
    assert join(frames) == PAYLOAD


def test_numbers_are_written_in_base_36() -> None:
    frames = list(bbqr_frames(bytes(1_295), BbqrType.BINARY, BbqrEncoding.HEX, 10))
    assert (frames[0][:8], frames[35][:8], frames[36][:8], frames[-1][:8]) == (
        "B$HBZZ00",
        "B$HBZZ0Z",
        "B$HBZZ10",
        "B$HBZZZY",
    )
    with pytest.raises(InvalidInput):
        list(bbqr_frames(bytes(1_296), BbqrType.BINARY, BbqrEncoding.HEX, 10))


@pytest.mark.parametrize(
    "frames",
    [
        ["B$HB030001", "B$HB03010101"],
        ["B$HB030001", "B$HB0302010101"],
        ["B$HB020001", "B$HB02010101"],
    ],
)
def test_frame_longer_than_the_others_is_mixed(frames: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        join(frames)
    assert str(caught.value.code) == "QR_MIXED"


def test_last_frame_may_come_first_and_be_shorter() -> None:
    assert join(["B$HB030205", "B$HB03010304", "B$HB03000102"]) == b"\x01\x02\x03\x04\x05"


@pytest.mark.parametrize(("body", "is_read"), [("00" * 4_996, True), ("00" * 4_997, False)])
def test_frame_has_a_largest_length(body: str, is_read: bool) -> None:
    if is_read:
        assert len(read_bbqr_frame(f"B$HB0100{body}").body) == 4_996
        return
    with pytest.raises(InvalidInput) as caught:
        read_bbqr_frame(f"B$HB0100{body}")
    assert str(caught.value.code) == "QR_TOO_LARGE"


def test_ratio_counts_only_beyond_a_hundred_thousand_bytes() -> None:
    noise = bytes(value * 7919 >> 3 & 0xFF for value in range(3_000))
    large = noise * 60
    assert inflate(deflate(noise + bytes(90_000))) == noise + bytes(90_000)
    assert len(large) > 100_000
    assert inflate(deflate(large)) == large
