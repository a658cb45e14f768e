"""Code that runs as root touches files by :mod:`machine.untrusted` only: by descriptors, and
through no link.

Refused is whatever goes by a path: ``open``, ``os`` with a path, ``shutil``, ``pathlib``'s methods.
What is left has its reason here, and an exception that nothing needs any more is refused as well.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[1]
ROOTS = ("workers/agent", "workers/machine", "tasks")
"""What runs as root where an app, an upload or a package may have made what it finds."""
THE_WAY = "workers/machine/untrusted.py"

OS = frozenset(
    (
        "access",
        "chdir",
        "chflags",
        "chmod",
        "chown",
        "chroot",
        "fwalk",
        "getxattr",
        "lchmod",
        "lchown",
        "link",
        "listdir",
        "listxattr",
        "lstat",
        "makedirs",
        "mkdir",
        "mkfifo",
        "mknod",
        "open",
        "pathconf",
        "readlink",
        "remove",
        "removedirs",
        "removexattr",
        "rename",
        "renames",
        "replace",
        "rmdir",
        "scandir",
        "setxattr",
        "stat",
        "statvfs",
        "symlink",
        "truncate",
        "unlink",
        "utime",
        "walk",
    )
)
PATHLIB = {
    **dict.fromkeys(
        (
            "exists",
            "group",
            "is_dir",
            "is_fifo",
            "is_file",
            "is_mount",
            "is_socket",
            "is_symlink",
            "iterdir",
            "lstat",
            "owner",
        ),
        0,
    ),
    **dict.fromkeys(
        (
            "iterdir",
            "lstat",
            "owner",
            "read_bytes",
            "readlink",
            "resolve",
            "rmdir",
            "stat",
            "unlink",
        ),
        0,
    ),
    **dict.fromkeys(
        (
            "chmod",
            "glob",
            "hardlink_to",
            "lchmod",
            "rename",
            "rglob",
            "samefile",
            "symlink_to",
            "write_bytes",
        ),
        1,
    ),
    **dict.fromkeys(("read_text", "write_text"), 3),
}
"""Methods of paths, with the most positional arguments that they take: those of
:class:`machine.untrusted.Folder` take more.
"""

KERNEL = "the kernel's own files, in which nobody can put anything"
IMAGE = "part of the image or of Sheen itself"
UNPACKED = (
    "the bundle and the new folder that it is unpacked into are the task's own; links, which "
    "are checked, are made last"
)
CACHE = (
    "the cache, and what is on its way there, is root's own: packages come there by "
    "tasks/packages/freeze.py only"
)
SYNCS_OWN = (
    "what is not complete is in a folder of root's own; all else goes by names in open folders"
)
OPEN_FILES = "takes open files"
SANDBOX = "the way into a sandbox, which goes by descriptors"
VERSION = "a version's folder is root's own, and so are all above it"

EXCEPTIONS: dict[str, dict[str, str]] = {
    "workers/agent/processes/app_copy.py": {
        **dict.fromkeys(
            ("top.glob", "around.lstat", "os.open"),
            "the agent's own folder around a copy, which no app can change",
        ),
        "os.statvfs": "by descriptor",
        "os.utime": "by descriptor",
    },
    "workers/agent/processes/app_folders.py": dict.fromkeys(
        ("path.is_dir", "efs.resolve"), VERSION
    ),
    "workers/agent/processes/state_folder.py": dict.fromkeys(
        ("top.mkdir", "top.is_dir"), "an operator's folder, which then must be root's alone"
    ),
    "workers/machine/look.py": {
        **dict.fromkeys(
            ("os.chdir", "os.scandir", "os.access", "os.open", "os.stat"),
            "a program that has the rights of the app's user only",
        ),
        "Path(__file__).read_text": IMAGE,
    },
    "workers/agent/http/client_files.py": dict.fromkeys(
        ("directory.is_dir", "directory.iterdir", "path.is_file", "path.read_bytes"), IMAGE
    ),
    "workers/agent/processes/command.py": {
        "shutil.which": (
            "looks in the image's folders only: names with a slash are looked for as the app's user"
        )
    },
    "workers/agent/processes/fresh.py": {"os.open": IMAGE},
    "workers/agent/processes/oom.py": dict.fromkeys(
        ("self._file.read_text", "memberships.read_text", "candidate.is_file"), KERNEL
    ),
    "workers/agent/processes/orphans.py": dict.fromkeys(
        (
            "Path('/proc').iterdir",
            "(entry / 'stat').read_text",
            "Path(f'/proc/{pid}/status').read_text",
            "Path(f'/proc/{pid}/environ').read_bytes",
        ),
        KERNEL,
    ),
    "workers/agent/processes/preloaded.py": dict.fromkeys(
        ("Path(__file__).resolve", "library.is_file"), IMAGE
    ),
    "workers/agent/processes/private.py": dict.fromkeys(
        ("script.read_bytes", "_USERS.read_bytes"), IMAGE
    ),
    "workers/machine/process.py": {
        "Path(f'/proc/{pid}/task').iterdir": KERNEL,
        "os.open": "/tmp itself, and no link there",
    },
    "workers/agent/processes/r_process.py": {"Path(f'/proc/{pid}/stat').read_text": KERNEL},
    "workers/agent/record.py": dict.fromkeys(("directory.is_dir", "library.is_dir"), VERSION),
    "workers/agent/http/server.py": {"Path(f'/proc/{worker.pid}').exists": KERNEL},
    "workers/agent/processes/starter.py": {"spec.directory.is_dir": VERSION},
    "workers/machine/begin.py": {
        "Path(__file__).read_text": IMAGE,
        "os.chdir": "runs as the app's user, when no privilege is left",
    },
    "workers/machine/room.py": {"os.open": KERNEL},
    "tasks/check/__init__.py": {
        **dict.fromkeys(
            ("library.is_dir", "library.iterdir", "package.is_symlink", "package.readlink"), CACHE
        ),
        "script.read_bytes": IMAGE,
        "box.open": SANDBOX,
    },
    "tasks/check/check_python.py": dict.fromkeys(
        (
            "Path('app').rglob",
            "Path('beside').read_text",
            "Path(name).read_text",
            "path.read_bytes",
        ),
        "runs as the sandbox's user",
    ),
    "tasks/archive/__init__.py": dict.fromkeys(
        (
            "open",
            "os.open",
            "archive.open",
            "entry.open",
            "self._archive.stat",
            "to.parent.mkdir",
            "(target / path).parent.mkdir",
            "(target / path).symlink_to",
            "os.utime",
        ),
        UNPACKED,
    ),
    "tasks/archive/tars.py": {"tarfile.open": UNPACKED},
    "tasks/archive/zips.py": {"archive.open": UNPACKED},
    "tasks/build.py": dict.fromkeys(
        (
            "tempfile.TemporaryDirectory",
            "incoming.mkdir",
            "to.open",
            "shutil.copyfileobj",
        ),
        UNPACKED,
    ),
    "tasks/kinds/shiny_python.py": {"(unpacked.app / requirements.FILE).is_file": UNPACKED},
    "tasks/copy.py": {"folder.mkdir": SYNCS_OWN},
    "tasks/copy_tree.py": {"shutil.copyfileobj": OPEN_FILES},
    "tasks/mirror/tree.py": dict.fromkeys(
        (
            "incoming.mkdir",
            "incoming.iterdir",
            "left.unlink",
            "os.open",
            "os.utime",
            "os.scandir",
            "entry.stat",
        ),
        SYNCS_OWN,
    ),
    "tasks/packages/cache.py": dict.fromkeys(
        (
            "self.incoming.mkdir",
            "self.incoming.iterdir",
            "left.lstat",
            "folder.mkdir",
            "folder.chmod",
            "beside.mkdir",
            "beside.chmod",
            "beside.rename",
            "library.parent.mkdir",
            "library.is_dir",
            "os.utime",
        ),
        CACHE,
    ),
    "tasks/packages/freeze.py": {
        **dict.fromkeys(
            ("target.mkdir", "(target / path).mkdir", "(target / path).symlink_to", "folder.chmod"),
            CACHE,
        ),
        "shutil.copyfileobj": OPEN_FILES,
    },
    "tasks/packages/image.py": dict.fromkeys(
        ("Path('/etc/os-release').read_text", "library.glob", "file.read_text"), IMAGE
    ),
    "tasks/packages/install.py": {
        "step.source.archive.open": CACHE,
        "shutil.copyfileobj": OPEN_FILES,
    },
    "tasks/packages/repositories.py": dict.fromkeys(
        ("to.parent.mkdir", "Path(beside).unlink"), CACHE
    ),
    "tasks/packages/restore.py": dict.fromkeys(
        ("place.making.mkdir", "(place.making / name).symlink_to"), CACHE
    ),
    "tasks/packages/sources.py": dict.fromkeys(
        ("archive.open", "path.exists", "path.unlink", "os.utime"), CACHE
    ),
    "tasks/packages/sweep.py": dict.fromkeys(
        (
            "packages.is_dir",
            "packages.glob",
            "(packages / SOURCES).glob",
            "mark.stat",
            "path.stat",
            "os.utime",
            "entry.rename",
            "source.unlink",
            "apps.glob",
            "link.is_symlink",
            "link.readlink",
        ),
        CACHE,
    ),
    "tasks/sandbox.py": {"self.open": SANDBOX, "os.open": IMAGE},
    "tasks/script.py": {
        **dict.fromkeys(
            ("(version / job.script).is_file", "library.is_dir", "shutil.copytree"), VERSION
        ),
        "place.open": SANDBOX,
    },
    "tasks/version_folder.py": dict.fromkeys(
        ("folder.parent.mkdir", "version.exists", "incoming.rename"), VERSION
    ),
}


def by_path(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the function of each call that goes by a path. Pure."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _goes_by_path(node):
            yield node.lineno, ast.unparse(node.func)


def _goes_by_path(call: ast.Call) -> bool:
    if any(word.arg in ("dir_fd", "src_dir_fd") for word in call.keywords):
        return False
    match call.func:
        case ast.Name("open") | ast.Name("rmtree"):
            return True
        case ast.Attribute(ast.Name("os"), name):
            return name in OS
        case ast.Attribute(ast.Name("shutil" | "glob"), _):
            return True
        case ast.Attribute(ast.Name("tempfile"), "TemporaryDirectory"):  # it removes by recursion
            return True
        case ast.Attribute(_, "open"):
            return not call.args or _is_mode(call.args[0])
        case ast.Attribute(_, "mkdir"):
            return True
        case ast.Attribute(_, name) if name in PATHLIB:
            return len(call.args) <= PATHLIB[name]
    return False


def _is_mode(argument: ast.expr) -> bool:
    return (
        isinstance(argument, ast.Constant)
        and isinstance(argument.value, str)
        and set(argument.value) <= set("rwxabt+")
    )


def _files() -> list[str]:
    return sorted(
        str(path.relative_to(TREE)) for root in ROOTS for path in (TREE / root).rglob("*.py")
    )


@pytest.mark.parametrize("file", _files())
def test_root_goes_by_no_path_but_where_it_is_said_why(file: str) -> None:
    if file == THE_WAY:
        return
    found = list(by_path((TREE / file).read_text()))
    allowed = EXCEPTIONS.get(file, {})
    refused = [
        f"{file}:{line}: {what}: use machine.untrusted, or say in EXCEPTIONS why not"
        for line, what in found
        if what not in allowed
    ]
    assert not refused, "\n".join(refused)
    assert allowed.keys() <= {what for _, what in found}, (
        f"{file} does not need all of its exceptions"
    )


def test_no_exception_is_for_a_file_that_is_gone() -> None:
    assert set(EXCEPTIONS) <= set(_files())


@pytest.mark.parametrize(
    "code",
    [
        "open(p)",
        "os.open(p, os.O_RDONLY)",
        "os.chown(p, 1, 1)",
        "shutil.rmtree(p)",
        "p.write_text('x')",
        "(p / 'a').open()",
        "p.open('wb')",
        "p.unlink()",
        "p.rename(q)",
        "p.stat()",
        "p.mkdir(parents=True)",
        "os.walk(p)",
        "tempfile.TemporaryDirectory()",
    ],
)
def test_what_goes_by_a_path_is_seen(code: str) -> None:
    assert list(by_path(code))


@pytest.mark.parametrize(
    "code",
    [
        "folder.open('name')",
        "folder.stat('name')",
        "folder.unlink('name')",
        "os.open('n', 0, dir_fd=d)",
        "text.replace('a', 'b')",
    ],
)
def test_what_goes_by_descriptors_is_let_through(code: str) -> None:
    assert not list(by_path(code))
