"""Verifies an audit log by itself: ``python audit_verify.py FOLDER [--expect-head SEQ:HASH]``.

Shares no code with the writer and imports nothing of the project: an inspector can carry this one
file away. Needs Python and ``cryptography``. Finds any changed, removed, reordered or added event,
a cut-off end, a wrong signature, and (with ``--expect-head``) a log rolled back as a whole.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

START = "0" * 64


def read_lines(path: Path) -> list[bytes]:
    """Whole lines of a file, without newlines; a missing file has none."""
    if not path.exists():
        return []
    return path.read_bytes().split(b"\n")[:-1] if path.stat().st_size else []


def check_events(lines: list[bytes]) -> tuple[list[str], dict[int, str]]:
    """Faults of the event chain, and the hash of each line by its sequence number."""
    faults: list[str] = []
    hashes: dict[int, str] = {}
    previous = START
    for number, raw in enumerate(lines, start=1):
        digest = hashlib.sha256(raw).hexdigest()
        try:
            event = json.loads(raw)
            seq, link = event["seq"], event["prev"]
        except (ValueError, KeyError, TypeError):
            faults.append(f"line {number}: not an event")
            previous = digest
            continue
        if seq != number:
            faults.append(f"line {number}: carries sequence {seq}; an event was removed, added or moved")
        if link != previous:
            faults.append(f"line {number}: does not continue line {number - 1}; one of the two was changed or moved")
        hashes[number] = digest
        previous = digest
    return faults, hashes


def check_heads(lines: list[bytes], hashes: dict[int, str], key: Ed25519PublicKey) -> tuple[list[str], int]:
    """Faults of the signed heads, and the last sequence number they cover."""
    faults: list[str] = []
    previous, covered = START, 0
    for number, raw in enumerate(lines, start=1):
        try:
            head = json.loads(raw)
            seq, digest, link = int(head["seq"]), str(head["hash"]), str(head["prev"])
            key.verify(base64.b64decode(head["signature"]), f"{seq}:{digest}:{link}".encode())
        except InvalidSignature:
            faults.append(f"head {number}: the signature is not of this key and content")
            previous = hashlib.sha256(raw).hexdigest()
            continue
        except (ValueError, KeyError, TypeError):
            faults.append(f"head {number}: not a signed head")
            previous = hashlib.sha256(raw).hexdigest()
            continue
        if link != previous:
            faults.append(f"head {number}: does not continue head {number - 1}")
        if seq <= covered:
            faults.append(f"head {number}: goes back from event {covered} to {seq}")
        if hashes.get(seq) is None:
            faults.append(f"head {number}: event {seq} was signed and is gone")
        elif hashes[seq] != digest:
            faults.append(f"head {number}: event {seq} is not the one that was signed")
        covered = max(covered, seq)
        previous = hashlib.sha256(raw).hexdigest()
    return faults, covered


def verify(folder: Path, expect_head: str | None = None, public_key: Path | None = None) -> tuple[list[str], int]:
    """All faults of the log in ``folder`` (empty when it is sound), and its number of events."""
    events = read_lines(folder / "log.jsonl")
    heads = read_lines(folder / "heads.jsonl")
    if not events and not heads:
        return ([f"{folder}: there is no log"] if expect_head else []), 0
    key = load_pem_public_key((public_key or folder / "audit.pub").read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        return ["audit.pub is not an Ed25519 key"], len(events)
    faults, hashes = check_events(events)
    head_faults, covered = check_heads(heads, hashes, key)
    faults += head_faults
    if covered < len(events):
        faults.append(f"events {covered + 1} to {len(events)} are not signed")
    if expect_head:
        seq, _, digest = expect_head.partition(":")
        if hashes.get(int(seq)) != digest:
            faults.append(f"the head kept elsewhere (event {seq}) is not in this log; it was rolled back or replaced")
    return faults, len(events)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify an audit log.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--expect-head", metavar="SEQ:HASH", help="a head kept elsewhere")
    parser.add_argument("--public-key", type=Path, help="default: FOLDER/audit.pub")
    given = parser.parse_args(arguments)
    faults, count = verify(given.folder, given.expect_head, given.public_key)
    for fault in faults:
        sys.stdout.write(f"FAULT {fault}\n")
    sys.stdout.write(f"{count} events, {len(faults)} faults\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
