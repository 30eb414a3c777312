"""BIP 329's sample: every record read, the unknown type kept, all written back as the same records."""

import json

from custody.spend.labels import format_labels, parse_labels
from support.vectors import load_vectors


def test_sample_round_trips() -> None:
    vectors = load_vectors("bip329_labels.json")
    data = "\n".join(vectors["jsonl"]).encode()
    records = parse_labels(data)
    assert [record.type for record in records] == [record["type"] for record in vectors["records"]]
    written = format_labels(records)
    assert [json.loads(line) for line in written.decode().splitlines()] == vectors["records"]
    assert parse_labels(written) == records


def test_unknown_type_is_kept_to_the_byte() -> None:
    vectors = load_vectors("bip329_labels.json")
    line = next(line for line in vectors["jsonl"] if '"spscan"' in line)
    assert format_labels(parse_labels(line.encode())) == line.encode() + b"\n"
