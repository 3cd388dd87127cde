"""What the container of an audio file promises, against the bytes that are there.

libsndfile trims its idea of a file to what it finds; here the promise is read
from the bytes themselves. Sources: the RIFF and AIFF chunk, the Sun audio header,
RFC 3533 (Ogg pages), ISO 11172-3 and 13818-3 (MPEG audio frames), and the Xing
header, with which most mp3 encoders count their frames.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, NamedTuple

_CHUNKED = {b"RIFF": "<", b"RIFX": ">", b"FORM": ">"}  # magic number: byte order of sizes
_SUN = {b".snd": ">", b"dns.": "<"}
_PLACEHOLDER_BYTES = 0x7FFFF000  # SoX; from here on a size means "not known when written"
_OGG_HEADER_BYTES = 27  # its last byte says how many segment sizes follow, RFC 3533
_OGG_BEGIN_OF_STREAM, _OGG_END_OF_STREAM = 2, 4
_XING_REACH = 48  # header 4, side information up to 32, tag 4, flags 4, count 4
_XING_COUNTS_FRAMES = 1
# MPEG layer III: kbit/s by the header's index, Hz by the header's index (MPEG 1;
# half of it for MPEG 2, a quarter for 2.5).
_MPEG1_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG1_HZ = (44100, 48000, 32000)


class Mp3Frames(NamedTuple):
    """The frames of an mp3."""

    held: int  # whole frames in the file, without one that holds the Xing header
    promised: int | None  # frames that the Xing (or Info) header counts; None without one
    frame_samples: int  # samples per channel of a frame: 1152 or 576; 0 if there is no frame
    is_cut: bool  # the last frame ends behind the end of the file


def is_uncompressed(magic: bytes) -> bool:
    """Return whether the first four bytes of a file are those of wav, aiff or au."""
    return magic in _CHUNKED or magic in _SUN


def shortfall(stream: BinaryIO, size: int) -> str:
    """Return what a file lacks that its container promised, without decoding it; "" if nothing.

    wav, aiff and au promise a size, an ogg that its last page is marked; flac and mp3 show
    nothing before they are decoded.
    """
    magic = stream.read(4)
    if magic == b"OggS":
        return _lacking_in_ogg(stream, size)
    promised = 0
    if magic in _SUN:
        promised = _promised_by_sun(stream, _SUN[magic])
    elif magic in _CHUNKED:
        promised = _promised_by_chunks(stream, _CHUNKED[magic])
    return f"{size} of {promised} bytes" if size < promised else ""


def _lacking_in_ogg(stream: BinaryIO, size: int) -> str:
    """Go from page to page; libsndfile stops at the end of the first stream."""
    position, ends = 0, False
    while True:
        stream.seek(position)
        page = stream.read(_OGG_HEADER_BYTES + 255)
        if len(page) < _OGG_HEADER_BYTES or page[:4] != b"OggS":
            return "" if ends else "no last ogg page ends the stream"
        flags, segments = page[5], page[26]
        if ends and flags & _OGG_BEGIN_OF_STREAM:
            return "only the first of several ogg streams would be read"
        body = sum(page[_OGG_HEADER_BYTES : _OGG_HEADER_BYTES + segments])
        position += _OGG_HEADER_BYTES + segments + body
        ends = bool(flags & _OGG_END_OF_STREAM) and position <= size


def _promised_by_sun(stream: BinaryIO, order: str) -> int:
    fields = stream.read(8)
    if len(fields) < 8:
        return 0
    start, length = struct.unpack(order + "II", fields)
    return int(start + length) if length < _PLACEHOLDER_BYTES else 0


def _promised_by_chunks(stream: BinaryIO, order: str) -> int:
    stream.seek(12)
    while len(fields := stream.read(8)) == 8:
        name, length = struct.unpack(order + "4sI", fields)
        if name in (b"data", b"SSND"):
            return int(stream.tell() + length) if length < _PLACEHOLDER_BYTES else 0
        stream.seek(length + length % 2, os.SEEK_CUR)  # chunks start at even places
    return 0


def mp3_frames(data: bytes) -> Mp3Frames:
    """Count the frames of an mp3 by going from one to the next; tags are stepped over."""
    position = 0
    if data[:3] == b"ID3" and len(data) >= 10:  # its size has seven bits a byte
        position = 10 + (data[6] << 21) + (data[7] << 14) + (data[8] << 7) + data[9]
    held, promised, frame_samples, expected = 0, None, 0, -1
    while (position := data.find(b"\xff", position)) >= 0:
        length, samples = _mpeg_frame(data[position : position + 4])
        following = position + length
        # A chance match in a tag or picture has no frame before it and none behind it.
        is_frame = length and (
            position == expected or _mpeg_frame(data[following : following + 4])[0]
        )
        if not is_frame:
            position += 1
            continue
        if following > len(data):
            break
        if not frame_samples:
            frame_samples = samples
            promised = _xing_count(data[position : position + _XING_REACH])
        held += 1
        position = expected = following
    is_cut = position >= 0  # the loop was left before it ran out of data
    return Mp3Frames(held - (promised is not None), promised, frame_samples, is_cut)


def _xing_count(frame: bytes) -> int | None:
    tag = max(frame.find(b"Xing"), frame.find(b"Info"))
    if tag < 0 or len(frame) < tag + 12 or not frame[tag + 7] & _XING_COUNTS_FRAMES:
        return None
    return int.from_bytes(frame[tag + 8 : tag + 12], "big")


def _mpeg_frame(header: bytes) -> tuple[int, int]:
    """Return bytes and samples of the layer III frame with this header, or zeros."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0, 0
    version, kbps_index, rate_index = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or kbps_index in (0, 15) or rate_index == 3:
        return 0, 0
    is_mpeg1 = version == 3
    kbps = (_MPEG1_KBPS if is_mpeg1 else _MPEG2_KBPS)[kbps_index]
    sample_rate = _MPEG1_HZ[rate_index] // (1 if is_mpeg1 else 2 if version == 2 else 4)
    samples = 1152 if is_mpeg1 else 576
    padding = header[2] >> 1 & 1
    return samples // 8 * kbps * 1000 // sample_rate + padding, samples
