"""Annotations behind a descriptor (BIP 393: `SCRIPT?gl=30&bh=800000#checksum`), read so that they can be left out.

They say where a search should begin and end. Whoever audits takes neither from a file: the annotation is
checked for form, named, and removed. An adopted vault's descriptor never carries one.
Source: BIP 393.
"""

import re

from custody.bitcoin.descriptor_checksum import add_checksum, require_checksum
from custody.codes import Code
from custody.errors import Finding, InvalidInput, Severity

_PAIR = re.compile(r"[a-z]+=(?:0|[1-9][0-9]*)", re.ASCII)


def without_annotations(data: bytes) -> tuple[bytes, tuple[Finding, ...]]:
    """Return descriptor text with each line's annotation left out, and a warning for each that there was.

    Text without a `?` is returned as it is. Checksums are checked over what was given.

    Raises:
        InvalidInput: DESCRIPTOR_INVALID for an annotation of another form; CHECKSUM_MISSING, CHECKSUM_MISMATCH.
    """
    if b"?" not in data or not data.isascii():
        return data, ()
    lines, findings = [], []
    for line in data.decode("ascii").split("\n"):
        text = line.strip(" \t\r")
        body, mark, annotation = (require_checksum(text) if text else "").partition("?")
        if mark:
            _require_form(annotation)
            findings.append(_left_out(annotation))
            text = add_checksum(body)
        lines.append(text)
    return "\n".join(lines).encode(), tuple(findings)


def _require_form(annotation: str) -> None:
    pairs = annotation.split("&")
    names = {pair.partition("=")[0] for pair in pairs}
    if not all(_PAIR.fullmatch(pair) for pair in pairs) or len(names) != len(pairs):
        raise InvalidInput(
            Code.DESCRIPTOR_INVALID,
            "what stands behind the `?` of a descriptor is no annotation of BIP 393",
            advice="Give the descriptor without it, with its checksum computed again.",
        )


def _left_out(annotation: str) -> Finding:
    return Finding(
        Code.ANNOTATION_PRESENT,
        Severity.WARN,
        "descriptor",
        f"the descriptor carries the annotation `{annotation[:100]}`, which was left out",
        "Nothing to do: where a search begins and ends is not taken from files.",
    )
