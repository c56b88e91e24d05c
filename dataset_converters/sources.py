"""Raw files as downloaded: plain, compressed, in an archive or in a folder of any of these."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from tqdm import tqdm

from dataset_converters.errors import ConversionError

BLOCK_BYTES = 32 << 20
#: The longest line allowed; a row has some hundred bytes at most. csv takes no longer cells either.
LINE_BYTES = 128 << 10
MOST_PACKED = 1000  # text shrinks to a tenth; deflate cannot do better than 1 to 1032
BOM = b"\xef\xbb\xbf"  # some editors put it before the first character of UTF-8
#: How files start that are no text as it should be, and what they are.
NO_TEXT = {
    b"\xff\xfe": "UTF-16 text, expected UTF-8; convert it",
    b"\xfe\xff": "UTF-16 text, expected UTF-8; convert it",
    b"\x1f\x8b": "a gzip file, expected text; let its name end in .gz",
    b"PK\x03\x04": "a zip file, expected text; let its name end in .zip",
}
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
#: What reading a damaged file or archive raises.
READ_ERRORS = (OSError, EOFError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
               tarfile.TarError)  # fmt: skip


class Block(NamedTuple):
    """Whole lines of a file: the number of the first, how many there are, the bytes."""

    first: int
    n_lines: int
    data: bytes


@dataclass(frozen=True)
class RawFile:
    """One raw file, wherever it lies.

    Attributes:
        path: File on disk: the raw file itself, or the archive that holds it.
        member: Name inside the archive.
        size: Bytes of a member when unpacked, as the archive says; 0: not known.
    """

    path: Path
    member: str | None = None
    size: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.path}!{self.member}" if self.member else str(self.path)

    @contextmanager
    def open(self) -> Iterator[tuple[IO[bytes], int, Callable[[], int]]]:
        """Open for reading.

        Yields:
            The stream of plain bytes, the size to show progress against, and a function that
            tells how much of that size has been read.
        """
        if self.member is None and self.path.name.endswith(".gz"):
            with open(self.path, "rb") as packed, gzip.GzipFile(fileobj=packed) as stream:
                yield cast(IO[bytes], stream), self.path.stat().st_size, packed.tell
        elif self.member is None:
            with open(self.path, "rb") as plain:
                yield plain, self.path.stat().st_size, plain.tell
        elif self.path.name.endswith(".zip"):
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as inside:
                yield inside, archive.getinfo(self.member).file_size, inside.tell
        else:
            # "r|*" reads the archive once, front to back; "r:*" would unpack all of it to list it.
            with tarfile.open(self.path, "r|*") as tar:
                for entry in tar:
                    content = tar.extractfile(entry) if entry.name == self.member else None
                    if content is not None:
                        yield content, entry.size, content.tell
                        return
            raise ConversionError(f"{self}: no longer in the archive")

    def blocks(self) -> Iterator[Block]:
        """Read the file in blocks of whole lines, behind a progress bar in bytes.

        The last line of the file may lack its newline; every other block ends with one.

        Raises:
            ConversionError: If the file is empty, has a line longer than ``LINE_BYTES``, or cannot
                be read or unpacked to its end.
        """
        line, pending = 1, b""
        try:
            with self.open() as (stream, size, position), self.progress(size) as bar:
                while chunk := stream.read(BLOCK_BYTES):
                    bar.update(position() - bar.n)
                    data = pending + chunk
                    if line == 1 and data[:4].startswith(tuple(NO_TEXT)):
                        found = next(NO_TEXT[sign] for sign in NO_TEXT if data.startswith(sign))
                        raise ConversionError(f"{self}, line 1: found {found}")
                    self.check_line_lengths(line, data)
                    cut = data.rfind(b"\n") + 1
                    data, pending = data[:cut], data[cut:]
                    if data:
                        data = data.removeprefix(BOM) if line == 1 else data
                        n_lines = data.count(b"\n")
                        yield Block(line, n_lines, data)
                        line += n_lines
        except READ_ERRORS as error:
            raise ConversionError(
                f"{self}: cannot be read beyond line {line - 1}: {error or type(error).__name__}"
            ) from error
        if pending:
            yield Block(line, 1, pending.removeprefix(BOM) if line == 1 else pending)
        elif line == 1:
            raise ConversionError(f"{self}, line 1: found an empty file, expected rows")

    def check_line_lengths(self, first: int, data: bytes) -> None:
        """Refuse a line that is too long, before memory is filled with it.

        Args:
            first: Number of the first line in ``data``.
            data: Lines, the last one perhaps not read to its end.
        """
        start = 0
        # From one newline to the last one within reach: some hundred steps a block.
        while len(data) - start > LINE_BYTES:
            end = data.rfind(b"\n", start, start + LINE_BYTES + 1)
            if end < 0:
                line = first + data.count(b"\n", 0, start)
                raise ConversionError(
                    f"{self}, line {line}: found a line of more than {LINE_BYTES:,} bytes, the "
                    "limit; expected one row a line (is it the file as published?)"
                )
            start = end + 1

    def progress(self, size: int) -> tqdm:
        """The bar for reading ``size`` bytes; none where the output is no terminal."""
        return tqdm(total=size, unit="B", unit_scale=True, desc=self.label, disable=None)

    @property
    def label(self) -> str:
        """Base name, for the progress bar and the report."""
        return PurePosixPath(self.member).name if self.member else self.path.name


def list_files(source: Path, wanted: Iterable[str]) -> list[RawFile]:
    """The raw files that ``source`` (a folder, an archive or a single file) offers.

    Folders are searched one level deep, since archives unpack to a folder of their own. Archives
    in a folder are looked into only when named after a wanted file (``raw_sample.csv.tar.gz``):
    listing a .tar.gz unpacks it, and others in the same download are huge.

    Raises:
        ConversionError: If ``source`` does not exist or is not the archive that its name says.
    """
    if not source.exists():
        raise ConversionError(f"{source}: no such file or folder")
    if not source.is_dir():
        return list_archive(source)
    stems = {name.split(".")[0] for name in wanted}
    files: list[RawFile] = []
    for path in sorted(p for pattern in ("*", "*/*") for p in source.glob(pattern) if p.is_file()):
        if not path.name.endswith(ARCHIVE_SUFFIXES):
            files.append(RawFile(path))
        elif path.name.split(".")[0] in stems:
            files.extend(list_archive(path))
    return files


def list_archive(path: Path) -> list[RawFile]:
    """The members of an archive, or the file itself if it is none."""
    try:
        if path.name.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                members = [m for m in archive.infolist() if not m.is_dir()]
                return [RawFile(path, m.filename, m.file_size) for m in members]
        if path.name.endswith(ARCHIVE_SUFFIXES):
            with tarfile.open(path, "r|*") as tar:
                return list_tar(path, tar)
    except READ_ERRORS as error:
        raise ConversionError(f"{path}: not a readable archive: {error}") from error
    return [RawFile(path)]


def list_tar(path: Path, tar: tarfile.TarFile) -> list[RawFile]:
    """The members of a tar archive; a size that cannot be is refused.

    tarfile would go through all of it in steps of some kB, for hours, though there is nothing.
    """
    files = []
    for member in tar:
        if member.size > MOST_PACKED * path.stat().st_size:
            raise tarfile.TarError(f"{member.name} claims to have {member.size:,} bytes")
        if member.isfile():
            files.append(RawFile(path, member.name, member.size))
    return files


def find(files: list[RawFile], name: str) -> RawFile | None:
    """The file called ``name`` (or ``name`` + .gz) among ``files``, None if there is none.

    A plain file goes before a compressed one, and that before one in an archive: downloads are
    often unpacked beside the archive.

    Raises:
        ConversionError: If there are several of the same kind.
    """
    kinds = (
        [file for file in files if file.member is None and file.label == name],
        [file for file in files if file.member is None and file.label == f"{name}.gz"],
        [file for file in files if file.member is not None and file.label == name],
    )
    found = next((kind for kind in kinds if kind), [])
    if len(found) > 1:
        raise ConversionError(
            f"{name}: found {' and '.join(map(str, found))}, expected one of them; "
            "name the folder or archive that is meant"
        )
    return found[0] if found else None
