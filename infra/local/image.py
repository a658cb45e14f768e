"""The workers' image as a folder, made without a container engine.

``python -m infra.local.image FOLDER`` carries out ``workers/Dockerfile``. A new Debian root
(debootstrap) replaces the base image. Each COPY and RUN of the target is carried out in it, and the
values of ENV are kept. With ``SHEEN_IMAGE=FOLDER`` the local stack runs its tasks in that root like
Fargate: read-only, with empty folders in place of the image's volumes, the shared file system, and
the capabilities that a task's definition leaves. All of this needs root.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.declared.tasks import DROPPED_CAPABILITIES
from infra.emulator.ecs import task_mounts
from infra.emulator.ecs.definition import TaskMount
from infra.emulator.errors import CannotStart

DOCKERFILE = Path("workers/Dockerfile")
CONFIGURATION = "etc/sheen-image.json"
"""File in the folder with what a container engine keeps beside an image."""
_CAPABILITIES = (
    *("chown", "dac_override", "fowner", "fsetid", "kill", "mknod", "net_bind_service"),
    *("net_raw", "setgid", "setuid", "setfcap", "setpcap", "sys_chroot", "audit_write"),
)
"""Capabilities that containers have unless a task definition drops some."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction of a Dockerfile."""

    name: str
    rest: str


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that has been made."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()

    @classmethod
    def load(cls, root: Path) -> "BuiltImage":
        """Read what :func:`make` has made; raise :class:`CannotStart` if there is nothing."""
        try:
            document = json.loads((root / CONFIGURATION).read_text())
        except OSError as error:
            raise CannotStart(
                f"SHEEN_IMAGE is {root}: there is no image ({error.strerror}); make one "
                "with python -m infra.local.image"
            ) from None
        return cls(root, document["environment"], tuple(document["volumes"]))

    @property
    def client_dir(self) -> str:
        """The folder of the browser client's files in the image."""
        return self.environment["SHEEN_CLIENT_DIR"]

    def command(self, shared: Path, mounts: Iterable[TaskMount], argv: Sequence[str]) -> list[str]:
        """Return a command that runs ``argv`` in the image, in a mount namespace of its own.

        The namespace has ``mounts`` of ``shared`` at the same place as here, and ends with the
        command.
        """
        place = self.root / str(shared).lstrip("/")
        place.mkdir(parents=True, exist_ok=True)  # for a place outside the volumes
        root = shlex.quote(str(self.root))
        script = [
            "set -e",
            f"mount --bind {root} {root}",
            *(
                (
                    f"mount -t tmpfs -o mode={'1777' if volume == '/tmp' else '755'} none "  # noqa: S108
                    f"{root}{volume}"
                )
                for volume in self.volumes
            ),
            f"mount --rbind /proc {root}/proc",
            f"mount --rbind /dev {root}/dev",
            f"mkdir -p {shlex.quote(str(place))}",
            *task_mounts.script(str(shared), str(place), mounts),
            f"mount -o remount,ro,bind {root} {root}",
            (
                'exec /usr/sbin/chroot "$0" /usr/bin/setpriv --bounding-set "$1" --inh-caps '
                '-all -- "${@:2}"'
            ),
        ]
        kept = [
            capability
            for capability in _CAPABILITIES
            if capability.upper() not in DROPPED_CAPABILITIES
        ]
        bounding = ",".join(("-all", *(f"+{capability}" for capability in kept)))
        inside = ["/usr/bin/env", "-C", "/", *argv]
        return [
            *task_mounts.UNSHARE,
            "bash",
            "-c",
            "\n".join(script),
            str(self.root),
            bounding,
            *inside,
        ]


def steps(dockerfile: str, target: str) -> Iterator[Instruction]:
    """Yield the instructions of a target and of the targets that it is based on.

    The first is the FROM of its base image.
    """
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^\s*#.*\n", "", dockerfile))
    stages: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            base, _, stage = rest.partition(" AS ")
            current = stages[stage] = (
                [*stages[base]] if base in stages else [Instruction(name, base)]
            )
        else:
            current.append(Instruction(name, rest.strip()))
    yield from stages[target]


def base_of(dockerfile: str, target: str) -> str:
    """Return the name of the base image of a target."""
    first, *_ = steps(dockerfile, target)
    return first.rest


def make(tree: Path, root: Path, target: str = "agent") -> BuiltImage:
    """Make the image in ``root``, which must not exist.

    Raise :class:`CannotStart` that says what failed.
    """
    environment: dict[str, str] = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    }
    arguments: dict[str, str] = {}
    volumes: list[str] = []
    for step in steps((tree / DOCKERFILE).read_text(), target):
        match step.name:
            case "FROM":
                debian(step.rest, root)
            case "ARG":
                name, _, value = step.rest.partition("=")
                arguments[name] = value.strip('"')
            case "ENV":
                environment |= dict(part.split("=", 1) for part in shlex.split(step.rest))
            case "COPY":
                _copy(tree, root, *shlex.split(step.rest))
            case "RUN":
                _run(
                    ["/usr/sbin/chroot", str(root), "/bin/sh", "-c", step.rest],
                    environment | arguments | _own(),
                    step.rest,
                )
            case "VOLUME":
                volumes += json.loads(step.rest)
            case "CMD" | "HEALTHCHECK" | "STOPSIGNAL":
                pass  # the task definition says it
            case other:
                raise CannotStart(f"{DOCKERFILE}: infra/local/image.py does not know {other}")
    (root / CONFIGURATION).write_text(json.dumps({"environment": environment, "volumes": volumes}))
    return BuiltImage.load(root)


def debian(image: str, root: Path) -> None:
    """Make the contents of a ``debian:<suite>-slim`` image in ``root``, which must not exist.

    Raise :class:`CannotStart` if that fails.
    """
    # The digest is a registry's. A mirror has only today's packages.
    found = re.fullmatch(r"debian:([a-z]+)-slim(@sha256:[0-9a-f]{64})?", image)
    if found is None:
        raise CannotStart(
            f"{DOCKERFILE}: FROM {image}: infra/local/image.py makes debian:<suite>-slim only"
        )
    if root.exists():
        raise CannotStart(f"{root} is there already")
    if shutil.which("debootstrap") is None:
        raise CannotStart("debootstrap is not installed: apt-get install debootstrap")
    root.parent.mkdir(parents=True, exist_ok=True)
    suite = found[1]
    mirrors = mirrors_of(_sources_here())
    # Without a mirror, debootstrap asks its own default.
    _run(
        ["debootstrap", "--variant=minbase", suite, str(root), *mirrors.get(suite, ())[:1]],
        dict(os.environ),
        f"debootstrap {suite}",
    )
    for name in ("resolv.conf", "hosts"):
        shutil.copyfile(f"/etc/{name}", root / "etc" / name)
    listed = root / "etc/apt/sources.list"
    listed.write_text(apt_sources(suite, mirrors, made_from=listed.read_text()))
    excluded = "".join(
        f"path-exclude {path}\n"
        for path in (
            "/usr/share/doc/*",
            "/usr/share/man/*",
            "/usr/share/info/*",
            "/usr/share/locale/*",
        )
    )
    (root / "etc/dpkg/dpkg.cfg.d/image").write_text(
        f"force-unsafe-io\n{excluded}path-include /usr/share/doc/*/copyright\n"
    )
    for folder in ("doc", "man", "info", "locale"):
        shutil.rmtree(root / "usr/share" / folder, ignore_errors=True)
    # Certificates that this machine trusts beside Debian's own, for example those of a proxy.
    trusted = root / "usr/local/share/ca-certificates"
    trusted.mkdir(parents=True, exist_ok=True)
    for certificate in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(certificate, trusted)


def mirrors_of(targets: str) -> dict[str, list[str]]:
    """Return the URLs of apt's sources by suite, from lines with a URL and a suite each."""
    found: dict[str, list[str]] = {}
    for line in targets.splitlines():
        url, _, suite = line.partition(" ")
        found.setdefault(suite, []).append(url.rstrip("/"))
    return found


def apt_sources(suite: str, mirrors: Mapping[str, Sequence[str]], made_from: str) -> str:
    """Return the ``sources.list`` of an image.

    Its mirrors are those of this machine. For a suite that this machine does not have, it is the
    one that debootstrap used: ``made_from`` is the line that debootstrap wrote.
    """
    base = mirrors.get(suite, [made_from.split()[1].rstrip("/")])[0]
    others = {f"{suite}-updates": base, f"{suite}-security": f"{base}-security"}
    lines = [f"deb {base} {suite} main"]
    lines += [f"deb {mirrors.get(name, [url])[0]} {name} main" for name, url in others.items()]
    return "".join(f"{line}\n" for line in lines)


def _sources_here() -> str:
    """Return the URL and suite of each of this machine's apt sources, one line each."""
    if shutil.which("apt-get") is None:  # debootstrap runs on other systems, too
        return ""
    said = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout if said.returncode == 0 else ""


def _own() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}


def _copy(tree: Path, root: Path, *words: str) -> None:
    *sources, target = words
    for source in sources:
        found, place = tree / source, root / target.lstrip("/")
        if target.endswith("/"):
            place /= found.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if found.is_dir():
            shutil.copytree(
                found,
                place,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("__pycache__", ".build"),
            )
        else:
            shutil.copy(found, place)


def _run(argv: Sequence[str], environment: Mapping[str, str], what: str) -> None:
    result = subprocess.run(
        argv, env=dict(environment), capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        last = "\n".join((result.stdout + result.stderr).splitlines()[-20:])
        raise CannotStart(f"{what[:200]} failed:\n{last}")


if __name__ == "__main__":
    try:
        make(Path(__file__).resolve().parents[2], Path(sys.argv[1]).absolute())
    except CannotStart as error:
        sys.exit(str(error))
