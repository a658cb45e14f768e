"""Bundles that are hostile or broken, each with the sentence that its author gets."""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.kinds.recognition import shape_of
from chalicelib.publishing.errors import BadBundle
from chalicelib.publishing.limits import BundleLimits
from tasks.archive import read
from tests.support.archives import make_tar, make_zip
from tests.tasks.hostile_archives import crowded_zip

LIMITS = BundleLimits(files=50, unpacked=2_000_000, ratio_from=100_000)
APP = ("app.R", b"1")
LONG_NUMBER = "it has a header with a number of more than 128 digits; pack it anew with plain tar"
LINK = stat.S_IFLNK | 0o777


def with_paths(*names: str) -> list[tuple[str, bytes]]:
    return [APP, *((name, b"x") for name in names)]


def with_tar_header(kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    return gzip.compress(info.tobuf() + bytes(10_240))


def with_pax_header(data: bytes) -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, len(data)
    return gzip.compress(info.tobuf() + data + bytes(-len(data) % 512) + bytes(10_240))


def sparse_tar(claims: int) -> bytes:
    """GNU sparse: a file of a few bytes that says it has many."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("data.bin")
        info.size = 10
        info.pax_headers = {
            "GNU.sparse.major": "0",
            "GNU.sparse.minor": "1",
            "GNU.sparse.map": "0,10",
            "GNU.sparse.size": str(claims),
        }
        archive.addfile(info, io.BytesIO(b"0123456789"))
    return out.getvalue()


def latin_tar() -> bytes:
    """Names as they were written before UTF-8."""
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w:gz", format=tarfile.GNU_FORMAT, encoding="latin-1"
    ) as archive:
        archive.addfile(tarfile.TarInfo("caf\u00e9.csv"))
    return out.getvalue()


def zip_with_name(raw: bytes, flags: int) -> bytes:
    """A zip whose one entry has this very name and these flags."""
    data = make_zip([("N" * len(raw), b"x")]).replace(b"N" * len(raw), raw)
    at = data.index(b"PK\x01\x02") + 8
    return (
        data[:6] + struct.pack("<H", flags) + data[8:at] + struct.pack("<H", flags) + data[at + 2 :]
    )


def overlapping_zip() -> bytes:
    """Many names for one piece of compressed zeros."""
    data = bytearray(make_zip([("zeros", bytes(1_500_000))]))
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = bytes(data[start:end])
    return (
        bytes(data[:start])
        + entry * 2
        + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, len(entry) * 2, start, 0)
    )


def tar_with_a_link(target: bytes) -> bytes:
    """A link with this very target."""
    info = tarfile.TarInfo("l")
    info.type, info.linkname = tarfile.SYMTYPE, target.decode(errors="surrogateescape")
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape") + bytes(10_240))


def tar_for_all(headers: int) -> bytes:
    """Attributes for all entries, again and again, with one entry between."""
    info, entry = tarfile.TarInfo("x"), tarfile.TarInfo("__MACOSX/x")
    info.type, info.size = tarfile.XGLTYPE, 30 * 1024
    record = b"%d a%d=" % (info.size, 0)
    return gzip.compress(
        (info.tobuf() + record.ljust(info.size - 1, b"x") + b"\n" + entry.tobuf()) * headers
        + bytes(10_240)
    )


def lying_zip() -> bytes:
    """Says that its zeros have ten bytes."""
    data = bytearray(make_zip([("zeros", bytes(1_000_000))]))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + offset
        data[at : at + 4] = struct.pack("<I", 10)
    return bytes(data)


def with_password() -> bytes:
    data = bytearray(make_zip([APP]))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        data[at] |= 1
    return bytes(data)


def bzip2_inside() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("app.R", b"1" * 100)
    return out.getvalue()


LOOKED_FOR = "an app.R, or a server.R with ui.R or www/index.html, or an app.py that imports shiny"
BOTH: list[tuple[str, list[tuple[str, bytes]], dict[str, int], str]] = [
    ("up", with_paths("../x"), {}, 'path "../x" leaves the bundle (entry 2)'),
    ("up later", with_paths("a/../../x"), {}, 'path "a/../../x" leaves the bundle (entry 2)'),
    ("up and no further", with_paths("a/.."), {}, 'path "a/.." leaves the bundle (entry 2)'),
    ("absolute", with_paths("/etc/passwd"), {}, 'path "/etc/passwd" is absolute (entry 2)'),
    ("drive", with_paths("C:\\x"), {}, 'path "C:\\x" is absolute (entry 2)'),
    ("drive, with slashes", with_paths("C:/x"), {}, 'path "C:/x" is absolute (entry 2)'),
    ("backslash", with_paths("..\\x"), {}, 'path "..\\x" has a backslash in it; use slashes (entry 2)'),  # noqa: E501
    ("newline", with_paths("a\nb"), {}, "path 'a\\nb' has control characters in it (entry 2)"),
    ("long name", with_paths("n" * 256), {}, f'path "{"n" * 200}" is too long or too deep (entry 2)'),  # noqa: E501
    ("deep", with_paths("d/" * 64 + "x"), {}, f'path "{"d/" * 64}x" is too long or too deep (entry 2)'),  # noqa: E501
    ("twice", with_paths("a", "a"), {}, 'path "a" comes twice, or as a file and a folder (entry 3)'),  # noqa: E501
    ("file in file", with_paths("a", "a/b"), {}, 'path "a/b" comes twice, or as a file and a folder (entry 3)'),  # noqa: E501
    ("folder and file", with_paths("a/b", "a"), {}, 'path "a" comes twice, or as a file and a folder (entry 3)'),  # noqa: E501
    ("twice, otherwise written", with_paths("a", "./a"), {}, 'path "a" comes twice, or as a file and a folder (entry 3)'),  # noqa: E501
    (
        "case",
        with_paths("R/Utils.R", "R/utils.R"),
        {},
        ('paths "R/Utils.R" and "R/utils.R" differ only in case, which many disks cannot '
'tell apart; rename one (entry 3)'),
    ),
    (
        "case of folders",
        with_paths("Data/a", "data/b"),
        {},
        ('paths "Data" and "data" differ only in case, which many disks cannot tell '
'apart; rename one (entry 3)'),
    ),
    (
        "forms of a letter",
        with_paths("\u00fc.csv", "u\u0308.csv"),
        {},
        ('paths "\u00fc.csv" and "u\u0308.csv" differ only in case, which many disks '
'cannot tell apart; rename one (entry 3)'),
    ),
    ("link out", [APP, ("l", b"../../etc/passwd")], {"l": LINK}, "link \"l\" leads out of the bundle, to '../../etc/passwd' (entry 2)"),  # noqa: E501
    ("link to root", [APP, ("l", b"/etc/passwd")], {"l": LINK}, "link \"l\" leads out of the bundle, to '/etc/passwd' (entry 2)"),  # noqa: E501
    ("link to nothing", [APP, ("l", b"gone")], {"l": LINK}, "link \"l\" leads to 'gone', which is not in the bundle (entry 2)"),  # noqa: E501
    (
        "link to link",
        [APP, ("l", b"app.R"), ("m", b"l")],
        {"l": LINK, "m": LINK},
        "link \"m\" leads to 'l', which is a link itself; let it lead to the file (entry 3)",
    ),
    ("link to its folder", [APP, ("a/l", b".")], {"a/l": LINK}, "link \"a/l\" leads to 'a', a folder that it is in itself (entry 2)"),  # noqa: E501
    (
        "file below a link",
        [APP, ("d/x", b""), ("l", b"d"), ("l/y", b"")],
        {"l": LINK},
        'path "l/y" comes twice, or as a file and a folder (entry 4)',
    ),
    ("device", [APP, ("dev", b"")], {"dev": stat.S_IFCHR}, 'path "dev" is a device; only files and folders are allowed (entry 2)'),  # noqa: E501
    ("files", [APP, *((f"f{n}", b"") for n in range(50))], {}, "it has more than 50 files; leave data out, or pack it"),  # noqa: E501
    ("entries", [APP, *((f"__MACOSX/{n}", b"") for n in range(200))], {}, "it has more than 200 entries; leave data out, or pack it"),  # noqa: E501
    (
        "too large",
        [APP, ("big", bytes(2_000_000))],
        {},
        ("its files have more than 2,000,000 bytes together (at entry 2); leave data out, "
"or put it on EFS by a sync"),
    ),
    (
        "folders",
        [APP, *(("/".join(f"{n}{'d' * depth}" for depth in range(10)) + "/x", b"") for n in range(30))],  # noqa: E501
        {},
        "it has more than 200 entries; leave data out, or pack it",
    ),
    ("empty", [], {}, f"it is empty; put {LOOKED_FOR} into it"),
    ("only folders", [("a/", b"")], {}, f"it is empty; put {LOOKED_FOR} into it"),
    ("half an app", [("server.R", b"")], {}, "server.R has no ui.R or www/index.html beside it; add one of them there"),  # noqa: E501
    ("the other half", [("ui.R", b"")], {}, "ui.R has no server.R beside it; add one"),
    (
        "too deep",
        [("a/b/app.R", b"")],
        {},
        f"no app is in it; {LOOKED_FOR} must be at the top or in the one folder at the top "
        '(it was found at "a/b/app.R": pack that folder)',
    ),
    *(
        (
            name,
            [(name, b""), ("data.csv", b"")],
            {},
            f"{name} makes it {what}, which Sheen does not serve yet; it serves Shiny apps: "
            f"{LOOKED_FOR}",
        )
        for name, what in (
            ("report.Rmd", "an R Markdown document"),
            ("index.html", "a static site"),
            ("app.py", "a Python app that is not Shiny's"),
            ("plumber.R", "a Plumber API"),
            ("paper.qmd", "a Quarto document"),
        )
    ),
]  # fmt: skip

DAMAGED = "it is damaged or of an unusual kind ({}); pack it anew"
BOMB = (
    "its {packed} bytes unpack to 1,900,001, more than 100 times as many; that is how bombs "
    "are made: leave empty data out"
)
TOO_LARGE = (
    "its files have more than 2,000,000 bytes together (at entry {}); leave data out, or put "
    "it on EFS by a sync"
)
HEADER = "it has a header of 1,073,741,824 bytes; pack it anew with plain tar"
CUT = "Compressed file ended before the end-of-stream marker was reached"
RAW: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "it is neither a zip nor a tar.gz file; pack the app's folder into one"),
    ("text", b"no archive", "it is neither a zip nor a tar.gz file; pack the app's folder into one"),  # noqa: E501
    ("rar", b"Rar!\x1a\x07\x00", "it is neither a zip nor a tar.gz file; pack the app's folder into one"),  # noqa: E501
    ("plain tar", gzip.decompress(make_tar([APP])), "it is neither a zip nor a tar.gz file; pack the app's folder into one"),  # noqa: E501
    ("half a zip", make_zip([APP])[:40], DAMAGED.format("File is not a zip file")),
    ("begin of a zip", b"PK\x03\x04 and then nothing", DAMAGED.format("File is not a zip file")),
    ("begin of a gzip", b"\x1f\x8b and then nothing", "it is damaged (Unknown compression method); pack it anew"),  # noqa: E501
    ("gzip of text", gzip.compress(b"no tar " * 200), DAMAGED.format("invalid header")),
    ("half a tar", make_tar([("app.R", bytes(range(256)) * 50)])[:-60], DAMAGED.format(CUT)),
    ("password", with_password(), 'path "app.R" is encrypted; pack it without a password (entry 1)'),  # noqa: E501
    ("bzip2", bzip2_inside(), 'path "app.R" is packed in an unusual way; use plain zip (entry 1)'),
    (
        "old encoding",
        zip_with_name(b"caf\x82.csv", 0),
        'path "caf\u00e9.csv" is in an old encoding, and nobody can say in which; '
        "rename the file in plain ASCII, or pack with a program that writes UTF-8 (entry 1)",
    ),
    ("NUL", zip_with_name(b"a\0b", 0), "path 'a\\x00b' has control characters in it (entry 1)"),
    ("long name header", with_tar_header(tarfile.GNUTYPE_LONGNAME, 1 << 30), HEADER),
    ("long pax header", with_tar_header(tarfile.XHDTYPE, 1 << 30), HEADER),
    ("bomb", make_zip([APP, ("zeros", bytes(1_900_000))]), BOMB),
    ("bomb in tar", make_tar([APP, ("zeros", bytes(1_900_000))]), BOMB),
    ("overlap", overlapping_zip(), 'path "zeros" comes twice, or as a file and a folder (entry 2)'),
    ("crowd", crowded_zip(201), "it has more than 200 entries; leave data out, or pack it"),
    (
        "large directory",
        make_zip([(f"__MACOSX/{n:0600}", b"") for n in range(180)]),
        "it has more than 200 entries; leave data out, or pack it",
    ),
    ("headers for all", tar_for_all(3), HEADER.replace("1,073,741,824", f"{90 * 1024:,}")),
    (
        "link out, not UTF-8",
        tar_with_a_link(b"/caf\xe9"),
        "link \"l\" leads out of the bundle, to '/caf\\udce9' (entry 1)",
    ),
    ("link, not UTF-8", tar_with_a_link(b"caf\xe9"), "link \"l\" leads to 'caf\\udce9', which is not in the bundle (entry 1)"),  # noqa: E501
    ("sparse", sparse_tar(5 << 30), "it has a file that is packed as a sparse one; pack it anew without --sparse"),  # noqa: E501
    ("long number", with_pax_header(b"1" * 60_000), LONG_NUMBER),
    ("long number in a record", with_pax_header(b"60016 comment=" + b"1" * 60_001 + b"\n"), LONG_NUMBER),  # noqa: E501
    ("hard link out", make_tar([APP, ("l", b"../x")], {"l": tarfile.LNKTYPE}), "link \"l\" leads out of the bundle, to '../x' (entry 2)"),  # noqa: E501
    ("not UTF-8", latin_tar(), "path 'caf\\udce9.csv' is not UTF-8; rename the file, or pack it anew (entry 1)"),  # noqa: E501
]  # fmt: skip


def refusal(data: bytes, where: Path) -> str:
    """Check and unpack as the build does; return the refusal, and see that nothing was written."""
    archive = where / "bundle"
    archive.write_bytes(data)
    target = where / "target"
    target.mkdir()
    with pytest.raises(BadBundle) as caught:
        opened = read(archive, "b.zip", LIMITS)
        inventory = opened.check()
        shape_of(inventory.paths, "b.zip", lambda path: opened.content(path, 1_000_000))
        raise AssertionError(f"nothing was found wrong with {inventory}")
    assert not list(target.iterdir())
    return str(caught.value)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize(
    ("files", "modes", "message"), [row[1:] for row in BOTH], ids=[row[0] for row in BOTH]
)
def test_it_is_refused_with_its_sentence(
    files: list[tuple[str, bytes]],
    modes: dict[str, int],
    message: str,
    make: Callable[..., bytes],
    tmp_path: Path,
) -> None:
    kinds = (
        {name: tarfile.CHRTYPE if mode == stat.S_IFCHR else mode for name, mode in modes.items()}
        if make is make_tar
        else modes
    )
    assert refusal(make(files, kinds), tmp_path) == f"bundle b.zip: {message}"


@pytest.mark.parametrize(("data", "message"), [row[1:] for row in RAW], ids=[row[0] for row in RAW])
def test_a_broken_one_is_refused_with_its_sentence(
    data: bytes, message: str, tmp_path: Path
) -> None:
    assert refusal(data, tmp_path) == "bundle b.zip: " + message.replace(
        "{packed}", f"{len(data):,}"
    )


def test_sizes_that_lie_are_found_while_they_are_unpacked(tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(lying_zip())
    (tmp_path / "target").mkdir()
    opened = read(tmp_path / "bundle", "b.zip", LIMITS)
    with pytest.raises(BadBundle, match="damaged"):
        opened.unpack(opened.check(), tmp_path / "target")


def test_a_name_in_utf8_that_does_not_say_so_is_understood(tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(zip_with_name("\u00fc.csv".encode(), 0))
    assert read(tmp_path / "bundle", "b.zip", LIMITS).check().paths == ["\u00fc.csv"]
