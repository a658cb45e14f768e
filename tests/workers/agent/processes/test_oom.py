"""Reading the kernel's counter of processes killed for want of memory."""

from pathlib import Path

import pytest

from agent.processes.oom import OomKills

V2 = "low 0\nhigh 0\nmax 12\noom 3\noom_kill {}\noom_group_kill 0\n"
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"


@pytest.mark.parametrize(
    ("membership", "file", "text"),
    [
        ("0::/\n", "memory.events", V2),
        ("0::/ecs/0123/4567\n", "ecs/0123/4567/memory.events", V2),
        ("0::/ecs/0123/4567\n", "memory.events", V2),
        ("5:devices:/\n4:memory:/ecs/0123\n0::/\n", "memory/ecs/0123/memory.oom_control", V1),
        ("4:memory:/ecs/0123\n", "memory/memory.oom_control", V1),
    ],
)
def test_each_kill_is_told_once(tmp_path: Path, membership: str, file: str, text: str) -> None:
    (tmp_path / "cgroup").write_text(membership)
    counter = tmp_path / "fs" / file
    counter.parent.mkdir(parents=True)
    counter.write_text(text.format(4))
    kills = OomKills(tmp_path / "fs", tmp_path / "cgroup")
    assert kills.one() is False
    counter.write_text(text.format(6))
    assert [kills.one(), kills.one(), kills.one()] == [True, True, False]


def test_where_nobody_counts_nothing_is_claimed(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/\n")
    assert OomKills(tmp_path, tmp_path / "cgroup").one() is None
    assert OomKills(tmp_path, tmp_path / "missing").one() is None
