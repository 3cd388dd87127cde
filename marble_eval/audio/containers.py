"""What the container of an audio file promises, against the bytes that are there.

libsndfile trims its idea of a file to what it finds; here the promise is read
from the bytes themselves. Sources: the RIFF and AIFF chunk, the Sun audio header,
RFC 3533 (Ogg pages), RFC 9639 (flac frames), ISO 11172-3 and 13818-3 (MPEG audio
frames), and the Xing header, with which most mp3 encoders count their frames.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, NamedTuple

_CHUNKED = {b"RIFF": "<", b"RIFX": ">", b"FORM": ">"}  # magic number: byte order of sizes
_SUN = {b".snd": ">", b"dns.": "<"}
_CHUNK_BYTES = 8  # name and length, in front of each
_SECTOR_BYTES = 4096  # zeros up to here behind the audio fill a sector
_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LIST", b"id3 ")
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
    position, ends, is_under_way = 0, False, False
    while True:
        stream.seek(position)
        page = stream.read(_OGG_HEADER_BYTES + 255)
        if len(page) < _OGG_HEADER_BYTES or page[:4] != b"OggS":
            return "" if ends else "no last ogg page ends the stream"
        flags, segments = page[5], page[26]
        if is_under_way and flags & _OGG_BEGIN_OF_STREAM:
            return "only the first of several ogg streams would be read"
        is_under_way = not flags & _OGG_BEGIN_OF_STREAM
        body = sum(page[_OGG_HEADER_BYTES : _OGG_HEADER_BYTES + segments])
        position += _OGG_HEADER_BYTES + segments + body
        ends = bool(flags & _OGG_END_OF_STREAM) and position <= size


def surplus(stream: BinaryIO, size: int) -> str:
    """Return what a file holds beyond what its header counts and a decoder reads; "" if nothing."""
    magic = stream.read(4)
    if magic in _SUN:
        return _unread(stream, _promised_by_sun(stream, _SUN[magic]), size)
    if magic in _CHUNKED:
        end = _promised_by_chunks(stream, _CHUNKED[magic])
        return _unread_chunks(stream, _CHUNKED[magic], end, size)
    stream.seek(0)
    if magic == b"OggS":
        return _behind_ogg_pages(stream.read())
    if magic == b"fLaC" or magic[:3] == b"ID3" or magic[:1] == b"\xff":
        data = stream.read()
        start = _behind_id3(data)
        if data[start : start + 4] == b"fLaC":
            return _unread_flac(data, start)
        frames = mp3_frames(data)
        # Some encoders count one more or one less.
        if frames.promised is not None and frames.held > frames.promised + 1:
            return f"the header counts {frames.promised} of {frames.held} frames (joined files?)"
    return ""


def _unread(stream: BinaryIO, end: int, size: int) -> str:
    """Look at what lies behind the audio: tags and a sector's zeros are known, the rest is not."""
    if not end or size - end < _CHUNK_BYTES:
        return ""
    stream.seek(end)
    rest = stream.read(_SECTOR_BYTES + 1)
    is_padding = len(rest) <= _SECTOR_BYTES and not any(rest)
    if is_padding or rest.lstrip(b"\0").startswith(_TAGS):
        return ""
    return f"its header ends the audio at byte {end} of {size}"


def _unread_chunks(stream: BinaryIO, order: str, end: int, size: int) -> str:
    """Step over the chunks behind the audio, which have names in ASCII."""
    at = end + end % 2
    while end and size - at >= _CHUNK_BYTES:
        stream.seek(at)
        name, length = struct.unpack(order + "4sI", stream.read(_CHUNK_BYTES))
        is_chunk = all(0x20 <= each < 0x7F for each in name) and at + length <= size
        if not is_chunk or name in _CHUNKED or name in (b"data", b"SSND"):
            # Without the pad byte that an odd length asks for, all behind it is one off.
            return _unread(stream, min(at, end) if at == end + end % 2 else at, size)
        at += _CHUNK_BYTES + length + length % 2
    return ""


def _behind_ogg_pages(data: bytes) -> str:
    position = 0
    while data[position : position + 4] == b"OggS" and len(data) > position + 26:
        segments = data[position + 26]
        position += _OGG_HEADER_BYTES + segments
        position += sum(data[position - segments : position])
    return "more ogg pages lie behind a gap" if data.find(b"OggS", position) >= 0 else ""


def _unread_flac(data: bytes, start: int) -> str:
    if any(data.find(b"fLaC" + flag + b"\0\0\x22", start + 4) >= 0 for flag in (b"\0", b"\x80")):
        return "only the first of several flac files would be read"
    counted = int.from_bytes(data[start + 21 : start + 26], "big") & 0xFFFFFFFFF  # 36 bits
    block = int.from_bytes(data[start + 8 : start + 10], "big")  # samples, where it is fixed
    position = len(data)
    while counted and (position := data.rfind(b"\xff", start, position)) >= 0:
        end = _flac_frame_end(data[position : position + 16], block)
        if end is not None:
            return f"the header counts {counted} of {end} samples" if end > counted else ""
    return ""


def _flac_frame_end(header: bytes, block: int) -> int | None:
    """Return the sample behind the frame with this header; None if it is no header."""
    if len(header) < 16 or header[1] not in (0xF8, 0xF9) or header[2] < 16 or header[3] & 1:
        return None
    lead = header[4]  # a number in UTF-8's manner, of up to seven bytes
    more = 0 if lead < 0x80 else 8 - (lead ^ 0xFF).bit_length() - 1
    number = lead if more == 0 else lead & (0x3F >> more)
    for each in header[5 : 5 + more]:
        number = number << 6 | each & 0x3F
    size, rate, at = header[2] >> 4, header[2] & 15, 5 + more
    wide = {6: 1, 7: 2}.get(size, 0)
    end = at + wide + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if end >= len(header) or _crc8(header[:end]) != header[end]:
        return None
    samples = int.from_bytes(header[at : at + wide], "big") + 1
    if not wide:
        samples = 192 if size == 1 else 576 << size - 2 if size < 6 else 256 << size - 8
    return (number if header[1] & 1 else number * block) + samples


def _crc8(data: bytes) -> int:
    """Return the checksum of a flac frame's header: x^8 + x^2 + x + 1."""
    remainder = 0
    for each in data:
        remainder ^= each
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x107 if remainder & 0x80 else 0)) & 0xFF
    return remainder


def _behind_id3(data: bytes) -> int:
    """Return where a file begins behind its ID3 tag, whose size has seven bits a byte."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    return 10 + (data[6] << 21) + (data[7] << 14) + (data[8] << 7) + data[9]


def _promised_by_sun(stream: BinaryIO, order: str) -> int:
    fields = stream.read(8)
    if len(fields) < 8:
        return 0
    start, length = struct.unpack(order + "II", fields)
    return int(start + length) if length < _PLACEHOLDER_BYTES else 0


def _promised_by_chunks(stream: BinaryIO, order: str) -> int:
    """Return where the audio ends, by the header of its chunk; 0 if that was not known."""
    stream.seek(12)
    while len(fields := stream.read(8)) == 8:
        name, length = struct.unpack(order + "4sI", fields)
        if name in (b"data", b"SSND"):
            return int(stream.tell() + length) if length < _PLACEHOLDER_BYTES else 0
        stream.seek(length + length % 2, os.SEEK_CUR)  # chunks start at even places
    return 0


def mp3_frames(data: bytes) -> Mp3Frames:
    """Count the frames of an mp3 by going from one to the next; tags are stepped over."""
    position = _behind_id3(data)
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
