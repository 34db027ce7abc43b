"""One message as one line of NDJSON: the sender's JSON with topic and time of arrival put in front."""

from __future__ import annotations

import hashlib
import json

TOPIC, RECEIVED_AT = "mqtt_topic", "received_at"
ADDED = (TOPIC, RECEIVED_AT)
"""Keys the collector puts into every message, before the sender's own; of a repeated key readers take the first."""
SHOWN_BYTES = 2000


def line_of(topic: str, payload: bytes, received_at: str, *, max_bytes: int, key: str = TOPIC, more: str = "") -> bytes:
    """A message as a line that is valid UTF-8 and ends with the only line feed in it.

    What looks like a JSON object stays as it was sent, line ends between its tokens become blanks. Anything else
    (other bytes, other JSON, more than ``max_bytes``) becomes a JSON list of topic, arrival and text, which no contract
    takes for a record: it goes to quarantine with what was sent. Of a payload that is too large its
    beginning, size and sha256 are kept.

    Args:
        received_at: ISO time of arrival (UTC).
        key: name of the topic's key. more: further members to put in front, each with a comma before it.
    """
    body = payload.strip()
    if len(body) <= max_bytes and body[:1] == b"{" and body[-1:] == b"}" and _is_text(body):
        rest = body[1:].replace(b"\r", b" ").replace(b"\n", b" ").lstrip()
        comma = "" if rest == b"}" else ","
        head = f'{{"{key}":{json.dumps(topic)},"{RECEIVED_AT}":"{received_at}"{more}{comma}'
        return head.encode() + rest + b"\n"
    return _refused(topic, payload, received_at, max_bytes)


def _refused(topic: str, payload: bytes, received_at: str, max_bytes: int) -> bytes:
    said = [topic, received_at]
    if len(payload) > max_bytes:
        digest = hashlib.sha256(payload).hexdigest()
        said += [f"{len(payload)} bytes, more than {max_bytes}; sha256 {digest}"]
        payload = payload[:SHOWN_BYTES]
    said.append(payload.decode("utf-8", "backslashreplace"))
    return json.dumps(said).encode() + b"\n"


def _is_text(body: bytes) -> bool:
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
