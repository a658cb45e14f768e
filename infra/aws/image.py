"""The images of the tasks: built by docker, pushed, and named by what they are made of."""

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from infra.aws.errors import DeployError
from infra.declared import Declared

DOCKERFILE = "workers/Dockerfile"
MADE_OF = ("workers", "tasks", "chalice_app/chalicelib", "client/dist", "requirements.lock")
"""Paths in the tree that go into the image."""

_BUILDER = "sheen"
"""The builder of buildx, in a container of its own.

Docker's own builder pushes gzip whatever compression is requested, unless docker keeps its images
in containerd.
"""
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_NOT_COPIED = {"__pycache__", "node_modules", ".build"}


COMPRESSION = "zstd"
"""Compression of the layers; Fargate unpacks zstd fastest (FACTS E1)."""


class PushedImage(NamedTuple):
    """An image in the repository."""

    tag: str
    name: str
    """Its name with its digest."""
    anew: bool
    """Whether this run has built it."""


Run = Callable[[Sequence[str], str], None]
"""Runs a command with a text as its input; raises :class:`DeployError`."""


def run_command(command: Sequence[str], text: str = "") -> None:
    """Run a command, with its output on the terminal.

    Raise :class:`DeployError` if it fails or is not installed.
    """
    try:
        result = subprocess.run(command, input=text, text=True, check=False)
    except FileNotFoundError:
        raise DeployError(
            f"{command[0]} is not installed: the tasks' image is built with docker and "
            "its buildx plugin"
        ) from None
    if result.returncode != 0:
        raise DeployError(
            f"`{' '.join(command[:3])} …` failed with status {result.returncode}; what it "
            "said is above"
        )


def image_parameter(image: str) -> str:
    """Return the name of the stacks' parameter for an image."""
    return f"{image.capitalize()}Image"


def push_images(
    client: Any,
    repository: str,
    tree: Path,
    declared: Declared,
    arguments: Mapping[str, str],
    run: Run = run_command,
) -> dict[str, PushedImage]:
    """Build and push the images of all task definitions, unless the repository has them already.

    Return them by :func:`image_parameter`. ``client`` is boto3's for ECR, ``repository`` the
    repository's URI, and ``arguments`` those of the Dockerfile (an empty one has its default).
    Raise :class:`DeployError`.
    """
    made_from = tag_of(tree, arguments)
    return {
        image_parameter(image): _push(
            client, repository, tree, image, f"{image}-{made_from}", arguments, run
        )
        for image in declared.images
    }


def _push(
    client: Any,
    repository: str,
    tree: Path,
    image: str,
    tag: str,
    arguments: Mapping[str, str],
    run: Run,
) -> PushedImage:
    digest = _digest(client, repository, tag)
    anew = digest is None
    if anew:
        _log_in(client, repository, run)
        options = f"type=image,name={repository}:{tag},push=true,compression={COMPRESSION},force-compression=true,oci-mediatypes=true"  # noqa: E501
        # With the node's name, this command does nothing if the builder exists.
        run(
            [
                "docker",
                "buildx",
                "create",
                "--name",
                _BUILDER,
                "--node",
                f"{_BUILDER}0",
                "--driver",
                "docker-container",
            ],
            "",
        )
        run(
            [
                *("docker", "buildx", "build", "--builder", _BUILDER, "--target", image),
                *("--platform", "linux/amd64", "--provenance", "false"),
                *(
                    part
                    for name, value in _given(arguments).items()
                    for part in ("--build-arg", f"{name}={value}")
                ),
                *("--file", str(tree / DOCKERFILE), "--output", options, str(tree)),
            ],
            "",
        )
        digest = _digest(client, repository, tag)
    if digest is None:
        raise DeployError(
            f"docker says that it pushed {repository}:{tag}, but the repository does not have it"
        )
    _check_layers(client, repository, tag)
    return PushedImage(tag, f"{repository}@{digest}", anew)


def tag_of(tree: Path, arguments: Mapping[str, str]) -> str:
    """Return a tag that changes only when something that goes into the image changes.

    Raise :class:`DeployError`.
    """
    digest = hashlib.sha256(repr((COMPRESSION, sorted(_given(arguments).items()))).encode())
    for path in sorted(_files(tree)):
        mode = "x" if path.stat().st_mode & 0o100 else "-"
        digest.update(f"{path.relative_to(tree)}\0{mode}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def _given(arguments: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in arguments.items() if value}


def _files(tree: Path) -> Iterable[Path]:
    for name in MADE_OF:
        top = tree / name
        if not top.exists():
            raise DeployError(f"{top} is not there; `make install` makes it")
        for path in [top, *top.rglob("*")]:
            if path.is_file() and not _NOT_COPIED & set(path.parts):
                yield path


def _digest(client: Any, repository: str, tag: str) -> str | None:
    name = repository.partition("/")[2]
    try:
        images = client.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])[
            "imageDetails"
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ImageNotFoundException":
            return None
        raise
    return str(images[0]["imageDigest"])


def _check_layers(client: Any, repository: str, tag: str) -> None:
    name = repository.partition("/")[2]
    [image] = client.batch_get_image(
        repositoryName=name, imageIds=[{"imageTag": tag}], acceptedMediaTypes=[_MANIFEST]
    )["images"]
    types = {layer["mediaType"] for layer in json.loads(image["imageManifest"]).get("layers", ())}
    if wrong := sorted(one for one in types if not one.endswith(f"+{COMPRESSION}")):
        raise DeployError(
            f"{repository}:{tag} has layers of type {', '.join(wrong)}, not "
            f"{COMPRESSION}, which Fargate unpacks fastest; remove it by "
            f"`aws ecr batch-delete-image --repository-name {name} --image-ids "
            f"imageTag={tag}`, bring buildx up to date and deploy again"
        )


def _log_in(client: Any, repository: str, run: Run) -> None:
    token = client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    run(
        ["docker", "login", "--username", user, "--password-stdin", repository.partition("/")[0]],
        password,
    )
