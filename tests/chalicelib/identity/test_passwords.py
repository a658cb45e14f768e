"""Passwords: hashes of other programs are read, and nothing dangerous is computed."""

import time
from pathlib import Path

import pytest

from chalicelib.identity import password_file, passwords
from chalicelib.identity.errors import BadHash, BadUser
from chalicelib.identity.names import Role
from chalicelib.identity.passwords import PasswordHash

LINES = [
    line.split("\t")
    for line in (Path(__file__).parent / "sspasswd_lines.txt").read_text().splitlines()
]
"""Line, password and what made it; for lines to be refused, why."""
GOOD = [(line, password) for line, password, by in LINES if not by.startswith("REFUSE")]
BAD = [line for line, _, by in LINES if by.startswith("REFUSE") and "last part" not in by]
WRONG = [line for line, _, by in LINES if "last part" in by]
SALT = bytes(range(32))


@pytest.mark.parametrize(("line", "password"), GOOD)
def test_a_line_of_another_program_has_its_password_and_no_other(line: str, password: str) -> None:
    (user,) = password_file.read(line).users
    assert passwords.is_right(password, user.hash)
    assert not passwords.is_right(f"{password}x", user.hash)
    assert str(user.hash) == line.partition(":")[2]


@pytest.mark.parametrize("line", BAD)
def test_a_line_that_is_none_is_refused_by_its_number_before_anything_is_computed(
    line: str,
) -> None:
    begun = time.process_time()
    found = password_file.read(f"# a comment\n\n{line}\r\n")
    assert not found.users
    assert [refused.line for refused in found.refused] == [3]
    assert time.process_time() - begun < 0.05


@pytest.mark.parametrize("line", WRONG)
def test_a_hash_whose_last_part_was_changed_has_no_password(line: str) -> None:
    (user,) = password_file.read(line).users
    assert not passwords.is_right("correct horse battery staple", user.hash)


def test_a_made_hash_is_read_again_and_has_its_password() -> None:
    made = passwords.made("pässwörd", SALT)
    again = PasswordHash.parse(str(made))
    assert again == made
    assert passwords.is_right("pässwörd", again)
    assert not again.is_weak


def test_no_user_has_no_password_not_even_an_empty_one() -> None:
    known = passwords.made("x" * 10, SALT)
    for password in ("", " ", "\0", "x" * (passwords.LONGEST + 1), "ä" * passwords.LONGEST):
        assert not passwords.is_right(password, known)
    assert not passwords.is_right("x" * 10, None)


def test_a_user_who_does_not_exist_costs_what_one_with_an_older_hash_costs() -> None:
    def cost(known: PasswordHash | None) -> float:
        begun = time.process_time()
        passwords.is_right("wrong password", known)
        return time.process_time() - begun

    weak = PasswordHash(14, 8, 1, SALT, bytes(32))
    passwords.is_right("warm", None)
    none, old = (min(cost(known) for _ in range(3)) for known in (None, weak))
    assert 0.6 < none / old < 1.6


def test_a_name_that_stands_twice_counts_nowhere() -> None:
    line = GOOD[0][0]
    found = password_file.read(f"{line}\n{GOOD[1][0]}\n{line}\n")
    assert [user.name for user in found.users] == [GOOD[1][0].partition(":")[0]]
    assert [(refused.line, "keep one" in refused.why) for refused in found.refused] == [
        (1, True),
        (3, True),
    ]


def test_a_line_may_say_a_role_and_groups() -> None:
    (user,) = password_file.read(f"{GOOD[0][0]}:publisher:sales,R users").users
    assert (user.role, user.groups) == (Role.PUBLISHER, ("sales", "R users"))


@pytest.mark.parametrize("more", [":king:", ":viewer:a:b", ":viewer:,", ":viewer: a"])
def test_a_role_or_group_that_is_none_is_refused(more: str) -> None:
    assert not password_file.read(GOOD[0][0] + more).users


@pytest.mark.parametrize("password", ["short", "x" * 2000, "with\nnewline"])
def test_a_new_password_is_checked(password: str) -> None:
    with pytest.raises(BadUser):
        passwords.checked(password)


@pytest.mark.parametrize("text", ["", "c2NyeXB0", "*" * 128, "A" * 128, "é" * 128])
def test_anything_else_is_no_hash(text: str) -> None:
    with pytest.raises(BadHash):
        PasswordHash.parse(text)
