"""The abstractions every room shares: Engine, Cluster, encoders, Model and Ranker, and the circumstances of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, runtime_checkable

if TYPE_CHECKING:
    import datetime as dt

    import dataframely as dy
    import numpy as np
    import numpy.typing as npt

    from basketry.core.histories import Candidates, Evidence, Queries, Rankings

    Vectors = npt.NDArray[np.float32]
    S = TypeVar("S", bound=dy.Schema)
    Arrays = Mapping[str, npt.NDArray[np.generic]]

D_contra = TypeVar("D_contra", contravariant=True)
Scalar = str | int | float | bool | None
Params = Mapping[str, "Scalar | dt.datetime | dt.date"]


@dataclass(frozen=True)
class Parquet:
    """A relation stored in Parquet files, read as one; no file at all is an empty relation and cannot be queried."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Csv:
    """A relation in one UTF-8 CSV file with a header line; every column is text, an empty field is NULL."""

    path: Path
    columns: tuple[str, ...]
    delimiter: str = ","
    quote: str = '"'


@dataclass(frozen=True)
class JsonLines:
    """A relation in one UTF-8 file of one JSON object a line; the named columns are read as text, absent keys are NULL."""

    path: Path
    columns: tuple[str, ...]


Relation = Parquet | Csv | JsonLines


class Engine(Protocol):
    """Where SQL runs. Four verbs; relations are given names when an engine is opened (`stored.NAME` in SQL)."""

    def read(self, contract: type[S], sql: str, params: Params) -> dy.DataFrame[S]:
        """Run `sql` with bound `$name` parameters and return a frame proved to satisfy `contract`."""
        ...

    def stream(self, contract: type[S], sql: str, params: Params, rows: int) -> Iterator[dy.DataFrame[S]]:
        """The same, in frames of about `rows` rows, so that the whole never stands in memory."""
        ...

    def write(self, sql: str, params: Params, path: Path) -> int:
        """Stream the rows of `sql` into the Parquet file `path` without passing through Python; return their number."""
        ...

    def close(self) -> None:
        """Give back files and memory; a second close does nothing."""
        ...


@runtime_checkable
class Cluster(Protocol):
    """Where work runs in pieces: bytes in, bytes out, so that what travels is arrays in a plain format and never objects.

    The function itself travels too, by name: it is one of a module's own, and that module is installed wherever it runs.
    """

    def map(self, function: Callable[[bytes], bytes], parts: Sequence[bytes]) -> Iterator[bytes]:
        """`function` of each part, several at a time, in the order of the parts. An error in any of them is raised here."""
        ...


@dataclass(frozen=True)
class Run:
    """The circumstances of a computation, as against its hyperparameters; they change its time, and the seed alone its result.

    `seed` of every random draw; `threads` to use; `cluster` that counts in pieces, where there is one, in as many `parts`.
    """

    seed: int = 0
    threads: int = 2
    cluster: Cluster | None = None
    parts: int = 8


@runtime_checkable
class EncoderOf(Protocol[D_contra]):
    """Turns documents of one kind into unit vectors, so that their dot product is the cosine of their meanings.

    A text is `str`; an image is the `bytes` of its JPEG, PNG or WebP file, a sound those of its WAV file, as they came:
    decoding is the encoder's own affair.
    """

    @property
    def name(self) -> str:
        """Stable name, with the sha256 of the weights: vectors of two encoders are comparable only if their names are equal."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, documents: Sequence[D_contra]) -> Vectors:
        """float32 [len(documents), dim], unit norm; an empty or broken document is an EncoderError that gives its position.

        The other documents of a batch never change a result by more than 1e-5.
        """
        ...


@runtime_checkable
class Encoder(EncoderOf[str], Protocol):
    """An encoder of texts, the kind that most of the house means."""


class Model(Protocol):
    """What an estimator learned: immutable, nothing but arrays, so it is stored and read back without running code."""

    def state(self) -> Arrays:
        """The arrays that hold all of it."""
        ...

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays."""
        ...


class Ranker(Model, Protocol):
    """A model that says which products a query is about next, best first."""

    @property
    def n_products(self) -> int:
        """How many products it knows; their codes are [0, n_products)."""
        ...

    def scores(self, queries: Queries) -> Vectors:
        """float32 [n, n_products], higher is better, comparable within a row; 0 or less where there is nothing to go by."""
        ...

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        """The k best candidates; fewer, where there is nothing to go by. `rank(k)` is a prefix of `rank(k + 1)`."""
        ...

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        """What each event of the history did for each product of `rankings`."""
        ...
