"""The users of this machine, as far as apps may run as them.

Apps run as any named user but these: root, the owner of Sheen's own files, and names that are not
there. System users such as ``shiny`` and ``www-data`` are what configurations usually name.
"""

import grp
import os
import pwd
from collections.abc import Collection
from dataclasses import dataclass

from chalicelib.configuration import run_as
from infra.emulator.s3.reader import ObjectReader

POWERFUL = frozenset(
    {
        "adm",
        "disk",
        "docker",
        "incus",
        "incus-admin",
        "kmem",
        "libvirt",
        "lxd",
        "root",
        "shadow",
        "sudo",
        "wheel",
    }
)
"""Groups whose members can become root, or read what only root may.

A user who is in one of them is without it in apps.
"""


@dataclass(frozen=True, slots=True)
class MachineUser:
    """A user of this machine whom apps may run as."""

    name: str
    unix_id: int
    group: int
    more_groups: tuple[int, ...]
    group_names: tuple[str, ...]
    home: str

    @property
    def reader(self) -> ObjectReader:
        """The user as a reader of files."""
        return ObjectReader(self.unix_id, self.group, self.more_groups)


def find(name: str, own: Collection[int]) -> MachineUser | str:
    """Return a user; a sentence that says why apps may not run as this one.

    ``own`` are the numbers of the users that own Sheen's files.
    """
    if why := run_as.why_refused(name):
        return why
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return (
            f"this machine has no user {name}; make one with `adduser --system --group {name}`, "
            "or name another one"
        )
    return _user(entry, own)


def everybody(own: Collection[int]) -> dict[str, MachineUser]:
    """Return all users of this machine whom apps may run as, by their names."""
    found = (_user(entry, own) for entry in pwd.getpwall() if not run_as.why_refused(entry.pw_name))
    return {user.name: user for user in found if isinstance(user, MachineUser)}


def _user(entry: pwd.struct_passwd, own: Collection[int]) -> MachineUser | str:
    if entry.pw_uid == 0:
        return f"{entry.pw_name} is another name of root, who may do everything"
    if entry.pw_uid in own:
        return f"{entry.pw_name} owns the files of Sheen itself, which apps may not change"
    names: list[str] = []
    numbers: list[int] = []
    for number in os.getgrouplist(entry.pw_name, entry.pw_gid):
        try:
            name = grp.getgrgid(number).gr_name
        except KeyError:
            name = str(number)
        names.append(name)
        if number != entry.pw_gid and number != 0 and name not in POWERFUL:
            numbers.append(number)
    if entry.pw_gid == 0 or (names[:1] and _own_name(entry.pw_gid) in POWERFUL):
        return (
            f"the own group of {entry.pw_name} is {_own_name(entry.pw_gid)}, whose members may do "
            "what apps may not; name another user"
        )
    return MachineUser(
        entry.pw_name,
        entry.pw_uid,
        entry.pw_gid,
        tuple(dict.fromkeys(numbers)),
        tuple(dict.fromkeys(names)),
        entry.pw_dir,
    )


def _own_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
