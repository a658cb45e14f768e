"""What a file names is collected from a disk or from the bucket, and what is wrong is said."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.applying import gathering
from chalicelib.applying.gathering import Gathered, InBucket, OnDisk, gather
from chalicelib.aws import clients
from chalicelib.configuration.errors import BadConfiguration
from chalicelib.configuration.keys import file_key
from tests.chalicelib.aws_in_process import BUCKET

Way = Callable[[str], Gathered]


@pytest.fixture(params=["disk", "bucket"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Way]:
    """A folder, and what gathers from there or from a bucket with the same files."""
    monkeypatch.setattr(gathering, "HEALTH_CHECK", str(tmp_path / "health-check"))
    if request.param == "disk":
        return tmp_path, lambda text: gather(text.encode(), "x.conf", OnDisk())
    request.getfixturevalue("dynamodb_calls")

    def from_bucket(text: str) -> Gathered:
        for path in (each for each in tmp_path.rglob("*") if each.is_file()):
            clients.client("s3").put_object(
                Bucket=BUCKET, Key=file_key(str(path)), Body=path.read_bytes()
            )
        return gather(text.encode(), "x.conf", InBucket(BUCKET))

    return tmp_path, from_bucket


def site(directives: str) -> str:
    server = "server { listen 80; location / { site_dir /srv; } }"
    return f"run_as shiny; log_dir /l; {directives}\n{server}"


def test_templates_health_checks_and_passwords_are_found(place: tuple[Path, Way]) -> None:
    folder, way = place
    pages = folder / "pages"
    (pages / "deeper").mkdir(parents=True)
    (pages / "error-404.html").write_text("<p>{{title}} é</p>")
    (pages / "logo.svg").write_text("<svg/>")
    (pages / "deeper/error.html").write_text("not read")
    for name in ("health-check", "health-check-json", "health-check.old", "health-checker"):
        (folder / name).write_text(name)
    (folder / "passwd").write_bytes(b"ann:\xff$scrypt")
    gathered = way(site(f"template_dir {pages};\nauth_passwd_file {folder}/passwd;"))
    assert gathered.content.templates == {str(pages): {"error-404": "<p>{{title}} é</p>"}}
    assert gathered.content.health_checks == {"": "health-check", "json": "health-check-json"}
    assert gathered.passwords == b"ann:\xff$scrypt"
    assert gathered.notes == ()
    assert b"scrypt" not in gathered.content.to_bytes()


def test_what_is_missing_or_no_template_is_said_with_its_line(place: tuple[Path, Way]) -> None:
    folder, way = place
    pages = folder / "pages"
    pages.mkdir()
    (pages / "error.html").write_text("{{#if}")
    gathered = way(
        "run_as shiny; log_dir /l; "
        f"auth_passwd_file {folder}/passwd;\ntemplate_dir {folder}/none;\n"
        f"server {{ listen 80; location / {{\ntemplate_dir {pages}; site_dir /srv;\n"
        "location /a { template_dir pages; } } }"
    )
    assert gathered.content.templates == {
        f"{folder}/none": {},
        str(pages): {},
        "pages": {},
    }
    passwords, missing, broken, relative = sorted(
        gathered.notes, key=lambda note: (not note.startswith("x.conf"), note)
    )[:3] + [note for note in gathered.notes if "error.html" in note]
    notes = "\n".join((passwords, missing, broken, relative))
    assert "x.conf:1: there is no " in notes
    assert "x.conf:2: there is no " in notes
    assert 'x.conf:5: "pages" is not used; write an absolute path' in notes
    assert "pages/error.html: not used, Sheen's own page is shown: " in notes
    assert len(gathered.notes) == 4


def test_too_large_a_file_is_refused(place: tuple[Path, Way]) -> None:
    folder, way = place
    (folder / "error.html").write_bytes(b"x" * (gathering.LARGEST_FILE + 1))
    with pytest.raises(BadConfiguration, match=r"error\.html has more than 1,048,576 bytes"):
        way(site(f"template_dir {folder};"))


def test_too_many_templates_are_refused(place: tuple[Path, Way]) -> None:
    folder, way = place
    for number in range(gathering.MOST_TEMPLATES + 1):
        (folder / f"error-{number}.html").touch()
    with pytest.raises(BadConfiguration, match="has 101 templates; at most 100"):
        way(site(f"template_dir {folder};"))


def test_what_is_far_too_large_for_a_configuration_is_refused() -> None:
    with pytest.raises(BadConfiguration, match="more than 4,000,000 bytes"):
        gather(b" " * (gathering.LARGEST_TEXT + 1), "x.conf", OnDisk())


def test_of_a_file_with_errors_nothing_is_collected(tmp_path: Path) -> None:
    gathered = gather(f"template_dir {tmp_path}".encode(), "x.conf", OnDisk())
    assert gathered.content.templates == {}
    assert gathered.content.read().errors


def test_files_that_the_operator_may_not_read_are_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "passwd").mkdir()  # root may read every file, but no folder is one
    else:
        (tmp_path / "passwd").touch(0)
    with pytest.raises(OSError, match="passwd"):
        gather(site(f"auth_passwd_file {tmp_path}/passwd;").encode(), "x.conf", OnDisk())
