"""What a PNG file says of itself beside its pixels."""

import struct
import zlib

_HEADER = 8 + 25  # bytes: the signature and the chunk of the size, always the first


def with_texts(content: bytes, texts: dict[str, str]) -> bytes:
    """A PNG file that says something of itself, as any program can show it.

    Args:
        content: bytes of a PNG file.
        texts: dict from keyword, such as `"Software"`, to text, both in Latin-1.

    Returns:
        bytes. The pixels stay as they are.

    Reference: PNG specification, third edition, section 11.3.3.2 (tEXt),
        https://www.w3.org/TR/png-3/
    """
    chunks = [
        _chunk(b"tEXt", f"{keyword}\0{text}".encode("latin-1"))
        for keyword, text in texts.items()
    ]
    return b"".join([content[:_HEADER], *chunks, content[_HEADER:]])


def _chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
