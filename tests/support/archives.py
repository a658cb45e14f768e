"""Archives made by hand, also such as no packer makes."""

import io
import stat
import struct
import tarfile
import zipfile


def make_zip(
    files: list[tuple[str, bytes]],
    modes: dict[str, int] | None = None,
    times: dict[str, int] | None = None,
) -> bytes:
    """A zip; ``modes`` says by name what is no plain file: what a link holds is where it leads.
    ``times``: when files were changed.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.create_system = 3
            info.external_attr = (modes or {}).get(name, stat.S_IFREG | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            if name in (times or {}):
                info.extra = struct.pack("<HHBi", 0x5455, 5, 1, (times or {})[name])
            archive.writestr(info, data)
    return out.getvalue()


def make_tar(
    files: list[tuple[str, bytes]],
    kinds: dict[str, bytes | int] | None = None,
    modes: dict[str, int] | None = None,
    times: dict[str, int] | None = None,
) -> bytes:
    """A tar.gz; ``kinds`` says by name what is no plain file, as tar's type or as a file's mode.
    ``times``: when files were changed.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            kind = (kinds or {}).get(
                name, tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            )
            info.type = kind if isinstance(kind, bytes) else tarfile.SYMTYPE
            if info.type in (tarfile.LNKTYPE, tarfile.SYMTYPE):
                info.linkname = data.decode()
            info.size = len(data) if info.type == tarfile.REGTYPE else 0
            info.mode = (modes or {}).get(name, info.mode)
            info.mtime = (times or {}).get(name, info.mtime)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def bundle(files: dict[str, bytes]) -> bytes:
    """A zip of plain files."""
    return make_zip(list(files.items()))
