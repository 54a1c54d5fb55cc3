"""Every error a user can meet, in one tree.

```
BasketryError
├── ConfigError          shop.toml or a setting is wrong                    exit 2, HTTP 400
├── SourceError          a file or database to read is missing or damaged   exit 3, HTTP 422
│   ├── SourceMissing        it is not there, or vanished while being read
│   ├── SourceEmpty          it holds no rows
│   ├── SourceEncoding       bytes that are not text in the declared encoding
│   ├── SourceFormat         a header, a delimiter or a line that cannot be read
│   └── SourceColumns        a column that the mapping names is not there, or there twice
├── SourceUnreachable    a database does not answer                         exit 3, HTTP 503
├── DataError            rows that break a table's contract                 exit 4, HTTP 422
├── RequestError         a request that cannot be answered as asked         exit 2, HTTP 400
│   ├── NotFound             no such product, release or shop               exit 5, HTTP 404
│   └── KeyReused            an id or idempotency key with other content    exit 2, HTTP 422
├── EncoderError         an encoder that cannot be loaded, or refuses        exit 2, HTTP 400
├── ReleaseError         nothing published, or the release cannot be used   exit 6, HTTP 409
│   └── ReleaseDamaged       a file differs from the manifest's checksum    exit 6, HTTP 500
├── EngineError          SQL failed inside an engine                        exit 7, HTTP 500
├── StorageError         the disk is full or refuses to write               exit 8, HTTP 507
│   ├── TablesDamaged        a committed table differs from its checksum    exit 8, HTTP 500
│   └── JournalUnavailable   the journal's database does not answer         exit 8, HTTP 503
└── Busy                 another process is writing to the same shop        exit 9, HTTP 409
```

Each class has a stable `code`, which names its page `docs/errors/CODE.md`. A message is one sentence with the offending values;
a hint says the way out. A driver's exception is wrapped once, at the boundary of the room that imports the driver. DataError
and RequestError are also ValueErrors, and NotFound a KeyError: what callers of other libraries expect.
"""

from __future__ import annotations

from typing import ClassVar


class BasketryError(Exception):
    """Base of every error raised on purpose: `message` says what is wrong, `hint` what to do."""

    code: ClassVar[str] = "basketry"
    exit_status: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"[{self.code}] {self.message}\n  hint: {self.hint}"

    def __reduce__(self) -> tuple[type[BasketryError], tuple[str, str]]:
        return type(self), (self.message, self.hint)


class ConfigError(BasketryError):
    """`shop.toml` or a setting is wrong."""

    code = "config"
    exit_status = 2
    http_status = 400


class SourceError(BasketryError):
    """A file or database to read is missing or damaged."""

    code = "source"
    exit_status = 3
    http_status = 422


class SourceMissing(SourceError):
    """The source is not there, or vanished while being read."""

    code = "source-missing"


class SourceEmpty(SourceError):
    """The source holds no rows."""

    code = "source-empty"


class SourceEncoding(SourceError):
    """Bytes that are not text in the declared encoding."""

    code = "source-encoding"


class SourceFormat(SourceError):
    """A header, a delimiter or a line that cannot be read."""

    code = "source-format"


class SourceColumns(SourceError):
    """A column that the mapping names is not in the source, or stands there twice."""

    code = "source-columns"


class SourceUnreachable(SourceError):
    """A database does not answer."""

    code = "source-unreachable"
    http_status = 503


class DataError(BasketryError, ValueError):
    """Rows that break a table's contract."""

    code = "data"
    exit_status = 4
    http_status = 422


class RequestError(BasketryError, ValueError):
    """A request that cannot be answered as asked."""

    code = "request"
    exit_status = 2
    http_status = 400


class NotFound(RequestError, KeyError):
    """No such product, release or shop."""

    code = "not-found"
    exit_status = 5
    http_status = 404


class KeyReused(RequestError):
    """An id or an idempotency key that came before, now with other content."""

    code = "key-reused"
    http_status = 422


class EncoderError(BasketryError):
    """An encoder that cannot be loaded, or that refuses what it is given."""

    code = "encoder"
    exit_status = 2
    http_status = 400


class ReleaseError(BasketryError):
    """Nothing is published, or the release cannot be used."""

    code = "release"
    exit_status = 6
    http_status = 409


class ReleaseDamaged(ReleaseError):
    """A file of the release differs from the checksum in its manifest."""

    code = "release-damaged"
    http_status = 500


class EngineError(BasketryError):
    """SQL failed inside an engine."""

    code = "engine"
    exit_status = 7


class StorageError(BasketryError):
    """The disk is full or refuses to write; nothing that was acknowledged is lost."""

    code = "storage"
    exit_status = 8
    http_status = 507


class TablesDamaged(StorageError):
    """The list of committed tables, or a part of one, differs from its checksum."""

    code = "tables-damaged"
    http_status = 500


class JournalUnavailable(StorageError):
    """The journal's database does not answer."""

    code = "journal-unavailable"
    http_status = 503


class Busy(BasketryError):
    """Another process is writing to the same shop."""

    code = "busy"
    exit_status = 9
    http_status = 409
