"""Reads tables and queries of a database by its SQLAlchemy URL, and cannot write: the database itself is told to refuse that.

SQLite opens the file read-only; PostgreSQL, MySQL and MariaDB read in a session whose transactions are read-only. A table
streams through, however large it is.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from knowledge.documents import KnowledgeError
from knowledge.sql_rows import Row, make_row
from knowledge.sql_stopping import Work, work_async, work_blocking

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Executable, Inspector

BATCH_ROWS = 100
MAX_ROWS = 1_000_000
MAX_SECONDS = 3600.0
CONNECT_S = 15
STATEMENT_S = 300
VALUE_BYTES = 100_000_000
"""A larger value in a SQLite file is refused instead of taken into memory."""

DRIVERS = ("asyncpg", "pymysql")
LOCAL_HOSTS = (None, "", "localhost", "127.0.0.1", "::1")
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Selection:
    """A table by its name, or what `query` selects, under a name of its own."""

    name: str
    query: str | None = None


class Database:
    """`template` is the address as it was given, in which `${NAME}` may stand for a secret; `address` the same with the
    secrets. Only `safe`, without name and password, is ever shown or stored as a document's source.
    """

    def __init__(self, template: str, address: str | None = None) -> None:
        """Raises: KnowledgeError."""
        self._url = _url(template if address is None else address)
        self._secrets = [text for text in (self._url.password, *_query_secrets(self._url)) if text]
        self.safe = _safe(self._url)
        is_file = self._url.get_backend_name() == "sqlite"
        self.is_local = is_file or self._url.host in LOCAL_HOSTS
        whole = self.safe if is_file and "${" not in template else template
        self.template = None if _holds_secret(template) else whole
        """The address as it may be kept, a file's from the root; None where a password stands in it."""
        self.name = Path(self._url.database or "").stem or self._url.get_backend_name()

    def to_keep(self) -> str:
        """The address as it may be written down. Raises: KnowledgeError where a password stands in it."""
        if self.template is None:
            raise KnowledgeError(
                f"A password stands in the address of {self.safe}, and would be written down with it.",
                "Put it in .env as DB_PASSWORD=… and write ${DB_PASSWORD} in its place.",
            )
        return self.template

    def read(self, selection: Selection, take: Callable[[list[Row]], None], stop: threading.Event) -> None:
        """Hand over all rows, a batch at a time. Blocks; meant for a worker thread.

        Raises: KnowledgeError, in which no password is repeated.
        """
        if selection.query is not None:
            check_select(selection.query)
        with self._explained():
            try:
                self._connected(lambda connection: _stream(connection, selection, take, stop), stop)
            except Exception:
                if stop.is_set():
                    raise KnowledgeError(f"Reading {selection.name} was stopped.", "Nothing was changed.") from None
                raise

    def tables(self) -> list[str]:
        """The tables and views that can be read. Blocks. Raises: KnowledgeError."""
        found: list[str] = []
        with self._explained():
            self._connected(lambda connection: found.extend(_names(_inspect(connection))), threading.Event())
        return found

    def _connected(self, work: Work, stop: threading.Event) -> None:
        """`work` with a connection that reads only, broken off once `stop` is set."""
        from sqlalchemy import NullPool, create_engine
        from sqlalchemy.ext.asyncio import create_async_engine

        kind = self._url.get_backend_name()
        if kind == "postgresql":
            engine = create_async_engine(self._url, poolclass=NullPool, connect_args=_POSTGRES)
            asyncio.run(work_async(engine, work, stop))
            return
        blocking = (
            create_engine("sqlite://", poolclass=NullPool, creator=lambda: _open_sqlite(self._url))
            if kind == "sqlite"
            else create_engine(self._url, poolclass=NullPool, connect_args=_MYSQL)
        )
        work_blocking(blocking, work, stop)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from sqlalchemy.exc import DBAPIError

        try:
            yield
        except ModuleNotFoundError as error:
            raise KnowledgeError(
                f"The driver {error.name} is not installed.", f"pip install {error.name}, then try again."
            ) from error
        except Exception as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if isinstance(cause, KnowledgeError):
                raise cause from None
            if not _is_of_database(error):
                raise
            raise KnowledgeError(f"{self.safe}: {self._masked(cause)}.", _remedy(str(cause))) from None

    def _masked(self, cause: object) -> str:
        text = " ".join(str(cause).split()) or type(cause).__name__
        text = re.sub(r"^<class '[^']*'>: ", "", text)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text[:300].rstrip(".")


def _is_of_database(error: Exception) -> bool:
    """Drivers raise errors of their own, past SQLAlchemy, while rows stream and while they connect."""
    from sqlalchemy.exc import SQLAlchemyError

    of_driver = type(error).__module__.partition(".")[0] in DRIVERS
    return of_driver or isinstance(error, SQLAlchemyError | sqlite3.Error | OSError | TypeError)


def check_select(query: str) -> None:
    """A clear word for what cannot be a selection; what slips through here is refused by the database.

    Raises: KnowledgeError.
    """
    bare = _QUOTED.sub(" ", query).strip().rstrip(";").strip()
    if ";" in bare:
        raise KnowledgeError("The query holds several statements.", "Give one SELECT for each name.")
    # In the query as it stands: what is a comment differs from database to database.
    if re.search(r"\b(outfile|dumpfile)\b|/\*M?!", query, re.IGNORECASE):
        raise KnowledgeError("The query would write a file, or hides a part of itself.", "Databases are only read.")
    if not re.match(r"\(*\s*(select|with|values|table)\b", bare, re.IGNORECASE):
        raise KnowledgeError(
            f"Only SELECT is run, not {bare.split(' ')[0][:20] or 'nothing'}.", "Databases are only read."
        )


def _stream(
    connection: Connection, selection: Selection, take: Callable[[list[Row]], None], stop: threading.Event
) -> None:
    deadline = time.monotonic() + MAX_SECONDS
    statement, key = _statement(connection, selection)
    result = connection.execution_options(stream_results=True, yield_per=BATCH_ROWS).execute(statement)
    columns = _distinct(list(result.keys()))
    key = key if key is not None else columns[:1]
    number = 0
    for batch in result.partitions(BATCH_ROWS):
        if stop.is_set():
            raise InterruptedError
        if time.monotonic() > deadline or number > MAX_ROWS:
            raise KnowledgeError(
                f"{selection.name} has more than can be read ({MAX_ROWS:,} rows, {MAX_SECONDS / 60:.0f} minutes).",
                "Choose what matters with a query.",
            )
        take(
            [
                make_row(selection.name, dict(zip(columns, row, strict=True)), key, number + n)
                for n, row in enumerate(batch, 1)
            ]
        )
        number += len(batch)


def _statement(connection: Connection, selection: Selection) -> tuple[Executable, Sequence[str] | None]:
    """What to execute, and the columns that name a row; None leaves that to the first column."""
    from sqlalchemy import column, select, table, text

    if selection.query is not None:
        # A colon would begin a parameter.
        return text(selection.query.strip().rstrip(";").replace(":", "\\:")), None
    inspector = _inspect(connection)
    schema, _, name = selection.name.rpartition(".")
    if selection.name in _names(inspector):
        schema, name = "", selection.name
    elif not schema or name not in (*inspector.get_table_names(schema), *inspector.get_view_names(schema)):
        raise _no_table(selection.name, _names(inspector))
    columns = [str(found["name"]) for found in inspector.get_columns(name, schema or None)]
    key = inspector.get_pk_constraint(name, schema or None)["constrained_columns"]
    source = table(name, *map(column, columns), schema=schema or None)
    return select(*source.columns).order_by(*(source.columns[one] for one in key)), key


def _no_table(name: str, known: Sequence[str]) -> KnowledgeError:
    close = get_close_matches(name, known, 1)
    remedy = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known[:20]) or 'none'}."
    return KnowledgeError(f"There is no table {name}.", remedy)


def _inspect(connection: Connection) -> Inspector:
    from sqlalchemy import inspect

    return inspect(connection)


def _names(inspector: Inspector) -> list[str]:
    return sorted([*inspector.get_table_names(), *inspector.get_view_names()])


def _distinct(columns: Sequence[str]) -> list[str]:
    """A query may give two columns one name."""
    return [name if name not in columns[:n] else f"{name} ({n + 1})" for n, name in enumerate(columns)]


_POSTGRES = {
    "server_settings": {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{STATEMENT_S}s",
        "application_name": "assistant",
    },
    "timeout": CONNECT_S,
}
_MYSQL = {
    "init_command": "SET SESSION TRANSACTION READ ONLY",
    "connect_timeout": CONNECT_S,
    "read_timeout": STATEMENT_S,
}


def _open_sqlite(url: URL) -> sqlite3.Connection:
    path = Path(url.database or "").expanduser().absolute()
    if not path.is_file():
        raise KnowledgeError(f"There is no database file {path}.", "Four slashes begin an absolute path: sqlite:////…")
    connection = sqlite3.connect(
        f"file:{quote(path.as_posix())}?mode=ro", uri=True, timeout=10.0, check_same_thread=False
    )
    connection.execute("PRAGMA query_only = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.text_factory = lambda data: data.decode("utf-8", errors="replace")
    deadline = time.monotonic() + MAX_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
    return connection


def _url(address: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise KnowledgeError(
            "The address of the database cannot be read.",
            "It looks like postgresql://${DB_USER}:${DB_PASSWORD}@host/name.",
        ) from None
    kind = url.get_backend_name()
    if kind == "postgresql":
        query = {("ssl" if name == "sslmode" else name): value for name, value in url.query.items()}
        return url.set(drivername="postgresql+asyncpg", query=query)
    if kind in ("mysql", "mariadb"):
        return url.set(drivername=f"{kind}+pymysql")
    if kind == "sqlite" and url.database not in (None, "", ":memory:"):
        return url
    raise KnowledgeError(
        f"{kind} databases are not read here.",
        "SQLite files, PostgreSQL, MySQL and MariaDB are, because these can be kept from writing.",
    )


def _safe(url: URL) -> str:
    from sqlalchemy import URL

    kind, database = url.get_backend_name(), url.database
    if kind == "sqlite":
        database = str(Path(database or "").expanduser().absolute())
    return URL.create(kind, host=url.host, port=url.port, database=database).render_as_string()


def _holds_secret(template: str) -> bool:
    """Whether a password is written out in an address, instead of the name of a variable."""
    stand_in = "7391846205"
    marked = re.sub(r"\$\{\w+\}", stand_in, template)
    if marked == stand_in:
        return False
    url = _url(marked)
    return any(secret not in (None, "", stand_in) for secret in (url.password, *_query_secrets(url)))


def _query_secrets(url: URL) -> list[str]:
    return [
        str(value) for name, value in url.query.items() if re.search("pass|pwd|secret|token|key", name, re.IGNORECASE)
    ]


def _remedy(cause: str) -> str:
    if re.search("read.?only|not allowed", cause, re.IGNORECASE):
        return "Databases are only read: give a SELECT that changes nothing."
    if re.search("password|authenti|denied", cause, re.IGNORECASE):
        return "Check the name and the password."
    if re.search("connect|refused|timeout|timed out|closed|reset|name or service|network", cause, re.IGNORECASE):
        return "Check the address and that the database runs."
    return "Check the query and the database."
