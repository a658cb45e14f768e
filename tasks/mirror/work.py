"""Carry out a plan, many files at a time."""

import hashlib
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from chalicelib.syncs.keys import matcher, unfit
from tasks.mirror.plan import MirrorPlan, is_current, plan, time_of
from tasks.mirror.s3 import (
    BLOCK,
    Bucket,
    Changed,
    ListedObject,
    ObjectGone,
    ObjectStream,
    ReadFailed,
    ReadRefused,
)
from tasks.mirror.tree import ExistingFile, ImpossiblePath, MirrorTree

T = TypeVar("T")
THREADS = 64
"""Threads; a small file spends nearly all its time waiting for S3 and EFS."""
PART = 8 << 20
"""Bytes of a large object that one thread reads at a time."""
PARTS_AT_ONCE = 5
LARGE_AT_ONCE = 2
FAILURES_TOLD = 100
MISSES = 2 * THREADS
"""Consecutive transient failures after which the remaining files are not tried.

So many failures in a row mean that nothing gets through.
"""


@dataclass(frozen=True, slots=True)
class MirrorJob:
    """Source and target of one copy."""

    prefix: str
    folder: Path
    incoming: Path
    """Folder for incomplete files, on the same file system."""
    below: str = ""
    """Copy only what begins with this, below the prefix."""
    include: tuple[str, ...] = ()
    """Patterns of DataSync."""
    exclude: tuple[str, ...] = ()
    delete: bool = False
    verify: str = "transferred"
    """See :attr:`chalicelib.syncs.definition.SyncDefinition.verify`."""
    largest: int | None = None
    """Objects larger than this are named in :attr:`MirrorOutcome.large` instead of copied."""
    durable: bool = False
    threads: int = THREADS


@dataclass(slots=True)
class MirrorOutcome:
    """The work done so far; many threads change it, under its lock."""

    files_seen: int = 0
    bytes_seen: int = 0
    files_to_copy: int = 0
    bytes_to_copy: int = 0
    files_copied: int = 0
    bytes_copied: int = 0
    files_skipped: int = 0
    files_deleted: int = 0
    files_failed: int = 0
    bytes_read: int = 0
    """Bytes read; grows while a large file is copied, too."""
    looked_at: int = 0
    """Entries of the listing and of the folder; grows during planning."""
    failures: list[tuple[str, str]] = field(default_factory=list)
    """The first failures, as path and reason."""
    passing: dict[str, str] = field(default_factory=dict)
    """Failures that may succeed when tried again, as path → reason."""
    large: list[str] = field(default_factory=list)
    phase: str = "preparing"
    """``preparing``, ``transferring``, ``verifying`` or ``done``."""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, **counts: int) -> None:
        """Add to the counts."""
        with self.lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)

    def fail(self, path: str, why: str, *, passing: bool = False) -> None:
        """Record a file that failed; ``passing`` means that another attempt may help."""
        with self.lock:
            self.files_failed += 1
            if passing:
                self.passing[path] = why
            if len(self.failures) < FAILURES_TOLD:
                self.failures.append((path, why))

    def forgive(self) -> dict[str, str]:
        """Drop and return the failures that may pass, because they will be tried again."""
        with self.lock:
            forgiven, self.passing = self.passing, {}
            self.files_failed -= len(forgiven)
            self.failures = [(path, why) for path, why in self.failures if path not in forgiven]
        return forgiven

    def counts(self) -> dict[str, int]:
        """Return all counts, which change as long as the work makes progress.

        A run's row has some of them, under these names.
        """
        with self.lock:
            return {
                each.name: getattr(self, each.name) for each in fields(self) if each.type is int
            }


class _TooLarge(Exception):
    """The object is too large to be copied here."""


class Mirror:
    """One job in progress."""

    def __init__(self, job: MirrorJob, bucket: Bucket, outcome: MirrorOutcome) -> None:
        self._job = job
        self._bucket = bucket
        self._outcome = outcome
        self._large = threading.BoundedSemaphore(LARGE_AT_ONCE)
        self._misses = 0
        self._tree = MirrorTree(job.folder, job.incoming, durable=job.durable)

    def run(self) -> None:
        """Make the folder equal to the prefix.

        Raise :class:`ReadFailed` if the prefix cannot be listed; nothing has changed then.
        """
        outcome = self._outcome
        try:
            found = self._plan()
            outcome.add(
                files_seen=found.seen, bytes_seen=found.bytes_seen, files_skipped=found.skip
            )
            outcome.add(
                files_to_copy=len(found.copy),
                bytes_to_copy=sum(listed.size for _, listed in found.copy),
            )
            outcome.large += found.large
            for path, why in found.refused:
                outcome.fail(path, why)
            outcome.phase = "transferring"
            self._clear(found)
            self._all(self._folder, found.make)
            self._all(self._copy_listed, found.copy)
            self._all(self._delete, found.delete)
            outcome.phase = "verifying"
            self._all(self._check, found.check)
            outcome.phase = "done"
        finally:
            self._tree.close()

    def keys(self, sizes: Mapping[str, int]) -> None:
        """Copy just these objects in their present state, without comparing; ``sizes`` is by path.

        The sizes are those of an earlier time.
        """
        try:
            self._outcome.phase = "transferring"
            self._all(self._bring, sizes.items())
            self._outcome.phase = "done"
        finally:
            self._tree.close()

    def _plan(self) -> MirrorPlan:
        job = self._job
        return plan(
            self._looked(self._bucket.list(job.prefix + job.below)),
            job.prefix,
            dict(self._looked(self._tree.files(job.below))),
            include=matcher(job.include),
            exclude=matcher(job.exclude),
            delete=job.delete,
            check=job.verify == "all",
            largest=job.largest,
        )

    def _looked(self, entries: Iterable[T]) -> Iterator[T]:
        for entry in entries:
            self._outcome.looked_at += 1
            yield entry

    def _clear(self, found: MirrorPlan) -> None:
        """Remove files in the place of folders and folders in the place of files."""
        if not found.delete:
            return
        folders = {
            path[:at] for path, _ in found.copy for at in range(len(path)) if path[at] == "/"
        }
        files = {path for path, _ in found.copy}
        first = [
            p
            for p in found.delete
            if p in folders or any(p[:at] in files for at in range(len(p)) if p[at] == "/")
        ]
        for path in first:
            self._delete(path)
        gone = set(first)
        found.delete = [path for path in found.delete if path not in gone]

    def _all(self, act: Callable[[T], None], items: Iterable[T]) -> None:
        """Act on all items, several at a time; the failure of one does not affect the others."""
        waiting: queue.SimpleQueue[T] = queue.SimpleQueue()
        for item in items:
            waiting.put(item)

        def work() -> None:
            while True:
                try:
                    item = waiting.get_nowait()
                except queue.Empty:
                    return
                act(item)

        count = min(self._job.threads, waiting.qsize())
        if count:
            with ThreadPoolExecutor(count) as pool:
                for future in [pool.submit(work) for _ in range(count)]:
                    future.result()

    def _folder(self, path: str) -> None:
        try:
            self._tree.make_folder(path)
        except OSError as error:
            self._fail(path, error)

    def _delete(self, path: str) -> None:
        try:
            self._tree.remove(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            self._outcome.fail(path, f"it cannot be deleted: {error}")
        else:
            self._outcome.add(files_deleted=1)

    def _copy_listed(self, item: tuple[str, ListedObject]) -> None:
        path, listed = item
        self._copy(path, listed.size)

    def _bring(self, item: tuple[str, int]) -> None:
        path, size = item
        if (why := unfit(path)) is not None:
            self._outcome.fail(path, why)
        elif path.endswith("/"):
            self._folder(path)
        else:
            self._outcome.add(files_seen=1)
            self._copy(path, size)

    def _copy(self, path: str, size: int) -> None:
        """Copy the object in its present state; ``size`` is its size when listed or written."""
        if self._misses >= MISSES:
            self._outcome.fail(
                path, "it was not tried, since none of many others came", passing=True
            )
            return
        try:
            while True:
                try:
                    if size <= PART:
                        copied = self._copy_whole(path)
                    else:
                        with self._large:
                            copied = self._copy_parts(path)
                    break
                except Changed:
                    size = self._bucket.read(
                        self._job.prefix + path, lambda given: given.listed.size
                    )
            self._outcome.add(files_copied=1, bytes_copied=copied)
        except _TooLarge:
            with self._outcome.lock:
                self._outcome.large.append(path)
        except ObjectGone:
            # The object was deleted since it was listed. The next run sees that.
            self._outcome.add(files_skipped=1)
        except (ReadFailed, OSError) as error:
            self._fail(path, error)
            return
        self._misses = 0

    def _fail(self, path: str, error: ReadFailed | OSError) -> None:
        passing = not isinstance(error, ReadRefused | ImpossiblePath)
        self._misses += passing
        self._outcome.fail(path, str(error), passing=passing)

    def _copy_whole(self, path: str) -> int:
        name, descriptor = self._tree.new_file()
        try:

            def write(given: ObjectStream) -> ObjectStream:
                self._check_size(given)
                os.ftruncate(descriptor, 0)
                os.lseek(descriptor, 0, os.SEEK_SET)
                digest = self._checksum_for(given)
                for block in given.blocks:
                    _write(descriptor, block)
                    if digest is not None:
                        digest.update(block)
                    self._outcome.bytes_read += len(block)
                self._verify(
                    path,
                    descriptor,
                    0,
                    given.listed.size,
                    digest.hexdigest() if digest is not None else given.listed.etag,
                )
                return given

            given = self._bucket.read(self._job.prefix + path, write)
            self._tree.settle(
                name, descriptor, path, time_of(given.listed.modified, given.listed.etag)
            )
            return given.listed.size
        finally:
            os.close(descriptor)
            self._tree.discard(name)

    def _copy_parts(self, path: str) -> int:
        """Copy a large object by several threads.

        Raise :class:`Changed` if the object is replaced before it has been read completely.
        """
        key = self._job.prefix + path
        # An object that is empty now has no such byte.
        now = self._bucket.read(key, lambda given: given, span=(0, 0))
        self._check_size(now)
        name, descriptor = self._tree.new_file()
        try:
            os.posix_fallocate(descriptor, 0, max(1, now.listed.size))

            def part(first: int) -> str:
                last = min(first + PART, now.listed.size) - 1

                def write(given: ObjectStream) -> str:
                    at, digest = first, self._checksum_for(given)
                    for block in given.blocks:
                        os.pwrite(descriptor, block, at)
                        at += len(block)
                        if digest is not None:
                            digest.update(block)
                        self._outcome.bytes_read += len(block)
                    return digest.hexdigest() if digest is not None else ""

                return self._bucket.read(key, write, span=(first, last), etag=now.listed.etag)

            whole = hashlib.md5(usedforsecurity=False)
            with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
                firsts = range(0, now.listed.size, PART)
                for first, future in zip(
                    firsts, [pool.submit(part, first) for first in firsts], strict=True
                ):
                    received, length = future.result(), min(PART, now.listed.size - first)
                    if received:
                        self._verify(path, descriptor, first, length, received)
                    elif self._job.verify != "none":
                        _sum_up(whole, descriptor, first, length)  # while the next parts arrive
            if (
                now.plain_etag
                and self._job.verify != "none"
                and whole.hexdigest() != now.listed.etag
            ):
                raise ReadFailed(
                    f'"{path}" is not on the file system what it is in S3: its checksum differs'
                )
            os.ftruncate(descriptor, now.listed.size)
            self._tree.settle(name, descriptor, path, time_of(now.listed.modified, now.listed.etag))
            return now.listed.size
        finally:
            os.close(descriptor)
            self._tree.discard(name)

    def _check_size(self, given: ObjectStream) -> None:
        if self._job.largest is not None and given.listed.size > self._job.largest:
            raise _TooLarge

    def _checksum_for(self, given: ObjectStream) -> Any:
        """Return a checksum for an object that is being read, or None.

        None is needed if the ETag is the checksum, or nobody wants one.
        """
        return (
            None
            if given.plain_etag or self._job.verify == "none"
            else hashlib.md5(usedforsecurity=False)
        )

    def _verify(self, path: str, descriptor: int, first: int, length: int, checksum: str) -> None:
        """Read back the written bytes.

        Raise :class:`ReadFailed` if they differ from what arrived, or from what the ETag says.
        """
        if self._job.verify != "none" and _digest(descriptor, first, length) != checksum:
            raise ReadFailed(
                f'"{path}" is not on the file system what it is in S3: the checksum from '
                f"byte {first} on differs"
            )

    def _check(self, item: tuple[str, ListedObject]) -> None:
        """Check a file that seems current; copy it again if its content differs."""
        path, listed = item
        try:
            descriptor = self._tree.read(path)
            try:
                status = os.fstat(descriptor)
                same = is_current(ExistingFile(status.st_size, status.st_mtime_ns), listed)
                same = same and self._holds(descriptor, listed)
            finally:
                os.close(descriptor)
        except (FileNotFoundError, OSError):
            same = False
        except ReadFailed as error:
            self._fail(path, error)
            return
        if same:
            self._outcome.add(files_skipped=1)
        else:
            self._outcome.add(files_to_copy=1, bytes_to_copy=listed.size)
            self._copy(path, listed.size)

    def _holds(self, descriptor: int, listed: ListedObject) -> bool:
        written = _digest(descriptor, 0, listed.size)
        if len(listed.etag) == 32 and written == listed.etag:
            return True

        def digest(given: ObjectStream) -> str:
            total = hashlib.md5(usedforsecurity=False)
            for block in given.blocks:
                total.update(block)
                self._outcome.bytes_read += len(block)
            return total.hexdigest()

        # The ETag of an object uploaded in parts or encrypted is not a checksum, so the content
        # itself is read.
        return self._bucket.read(listed.key, digest) == written


def _write(descriptor: int, block: memoryview) -> None:
    while block:
        block = block[os.write(descriptor, block) :]


def _digest(descriptor: int, first: int, length: int) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    _sum_up(digest, descriptor, first, length)
    return digest.hexdigest()


def _sum_up(digest: Any, descriptor: int, first: int, length: int) -> None:
    end = first + length
    while first < end:
        block = os.pread(descriptor, min(BLOCK, end - first), first)
        if not block:
            break
        digest.update(block)
        first += len(block)
