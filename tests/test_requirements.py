"""The versions that are pinned in more than one place are the same."""

import re
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
PIN = re.compile(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==(\S+)", re.MULTILINE)


def test_the_image_installs_what_the_lock_says_with_its_hashes() -> None:
    def blocks(path: Path) -> dict[str, str]:
        return {
            found[1]: found[0]
            for found in re.finditer(
                r"^([a-z0-9._-]+)==\S+ \\\n(?:    --hash=\S+(?: \\)?\n?)+",
                path.read_text(),
                re.MULTILINE,
            )
        }

    lock, image = blocks(TREE / "requirements.lock"), blocks(TREE / "workers" / "requirements.lock")
    assert {name: lock.get(name) for name in image} == image
    wanted = re.findall(
        r"^([a-z0-9-]+)", (TREE / "workers" / "requirements.txt").read_text(), re.MULTILINE
    )
    assert wanted and set(wanted) <= image.keys()


def test_the_lambdas_are_packaged_with_the_versions_of_the_lock() -> None:
    lock = dict(PIN.findall((TREE / "requirements.lock").read_text()))
    pinned = dict(PIN.findall((TREE / "chalice_app" / "requirements.txt").read_text()))
    assert pinned
    assert {name: lock.get(name) for name in pinned} == pinned
