"""Bytes as letters, two for each byte, with a checksum: minimal Bytewords.

Source: BCR-2020-012. Only the minimal style is read and written, which is the one of UR.
"""

import zlib

from custody.documents.qr.refusals import malformed

_LETTERS = (
    "aeadaoaxaaahamatayasbkbdbnbtbabsbebybgbwbbbzcmchcscfcycwcecackctcxclcpcndkdadsdidedtdrdndwdpdmdl"
    "dyeheyeoeeecenemetesftfrfnfsfmfhfzfpfwfxfyfefgflfdgagegrgsgtglgwgdgygmgughgohfhghdhkhthphhhlhyhe"
    "hnhsidiaieihiyioisinimjejzjnjtjljojsjpjkjykpkoktkskkknkgkekikblblalylflslrlplnltloldlelulklgmnmy"
    "mhmemomumwmdmtmsmknlnyndnsntnnnenboyoeotoxonolospdptpkpypspmplpepfpaprqdqzrerprlrorhrdrkrfryrnrs"
    "rtsesasrssskswstspsosgsbsfsntotktitttdtetytltbtstptatnuyuoutueurvtvyvovlvevwvavdvswlwdwmwpwewyws"
    "wtwnwzwfwkykynylyaytzszoztzczezm"
)
"""First and last letter of each of the 256 words, which tell them apart."""
_PAIRS = tuple(_LETTERS[start : start + 2] for start in range(0, len(_LETTERS), 2))
_VALUES = {pair: value for value, pair in enumerate(_PAIRS)}
_CHECKSUM = 4


def bytewords_encode(data: bytes) -> str:
    """Return `data` and its CRC-32 in minimal Bytewords, lower case."""
    return "".join(_PAIRS[byte] for byte in data + zlib.crc32(data).to_bytes(_CHECKSUM, "big"))


def bytewords_decode(text: str) -> bytes:
    """Return the bytes that minimal Bytewords in lower case stand for; the checksum is verified and removed.

    Raises:
        InvalidInput: QR_MALFORMED.
    """
    try:
        decoded = bytes(_VALUES[text[start : start + 2]] for start in range(0, len(text), 2))
    except KeyError as error:
        raise malformed("a frame holds letters that are no Bytewords") from error
    data, checksum = decoded[:-_CHECKSUM], decoded[-_CHECKSUM:]
    if not data or zlib.crc32(data).to_bytes(_CHECKSUM, "big") != checksum:
        raise malformed("the checksum of a frame does not match")
    return data
