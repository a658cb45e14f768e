"""The workers' image, made by buildah, a real builder that needs no daemon.

Buildah reads ``workers/Dockerfile`` and ``.dockerignore``. There is no registry: the base image is
a Debian root made by debootstrap (:func:`infra.local.image.debian`), which replaces the
Dockerfile's. The built image is mounted as a folder, in which the local stack runs tasks
(``SHEEN_IMAGE``). All of this needs root.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.emulator.errors import CannotStart
from infra.local.image import CONFIGURATION, DOCKERFILE, BuiltImage, base_of, debian

_LAST_LINES = 30


class Builder:
    """Buildah with a storage of its own in ``folder``.

    It uses copies instead of an overlay, and chroot, so that it works within a container too.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("buildah") is None:
            raise CannotStart("buildah is not installed: apt-get install buildah")
        self._storage = folder / "storage.conf"
        self._storage.write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/storage"\nrunroot = "{folder}/run"\n'
        )

    def base(self, root: Path) -> str:
        """Make an image of a Debian root; return its name."""
        container = self._run("from", "scratch")
        self._run("add", "--quiet", container, str(root), "/")
        self._run("commit", "--quiet", "--rm", container, "localhost/sheen-base")
        return "localhost/sheen-base"

    def build(self, tree: Path, target: str, base: str) -> str:
        """Build a target of the tree's Dockerfile on a base image; return the new image's name."""
        name = f"localhost/sheen-{target}"
        how = ("--isolation", "chroot", "--layers=false", "--from", base, "--target", target)
        self._run("build", *how, "--file", str(tree / DOCKERFILE), "--tag", name, str(tree))
        return name

    def configuration(self, image: str) -> dict[str, Any]:
        """Return the image's configuration: ``Env``, ``Cmd``, ``Volumes``, ``StopSignal``."""
        configuration: dict[str, Any] = json.loads(self._run("inspect", "--type", "image", image))[
            "OCIv1"
        ]["config"]
        return configuration

    @contextmanager
    def mounted(self, image: str) -> Iterator[BuiltImage]:
        """Yield the image as a folder, for the duration of the context."""
        container = self._run("from", image)
        try:
            root = Path(self._run("mount", container))
            told = self.configuration(image)
            environment = dict(one.split("=", 1) for one in told["Env"])
            (root / CONFIGURATION).write_text(
                json.dumps({"environment": environment, "volumes": sorted(told["Volumes"])})
            )
            yield BuiltImage.load(root)
        finally:
            self._run("umount", container)
            self._run("rm", container)

    def _run(self, command: str, *arguments: str) -> str:
        """Run a command; return the last line of its output.

        Raise :class:`CannotStart` with its output if it fails.
        """
        done = subprocess.run(
            ["buildah", command, *arguments],
            env={**os.environ, "CONTAINERS_STORAGE_CONF": str(self._storage)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).splitlines()[-_LAST_LINES:])
            raise CannotStart(f"buildah {command} failed:\n{said}")
        return (
            done.stdout.strip() if command == "inspect" else done.stdout.strip().rpartition("\n")[2]
        )


@contextmanager
def built(
    tree: Path, folder: Path, target: str = "agent"
) -> Iterator[tuple[BuiltImage, dict[str, Any]]]:
    """Build the tree's image; yield it and its configuration for the duration of the context.

    ``folder`` holds the image meanwhile.
    """
    builder = Builder(folder)
    root = folder / "debian"
    debian(base_of((tree / DOCKERFILE).read_text(), target), root)
    base = builder.base(root)
    shutil.rmtree(root)
    name = builder.build(tree, target, base)
    with builder.mounted(name) as image:
        yield image, builder.configuration(name)
