"""PostgreSQL for every service: two small pools, and transactions one can see."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

_T = TypeVar("_T")

WAIT_FOR_CONNECTION = 5.0
"""Seconds to wait for a free or a new connection before the caller is told that there is none."""
COMMAND_TIMEOUT = 20.0
"""Seconds after which a silent server counts as gone; more than its own `statement_timeout`."""

_SERVER_SETTINGS = {
    "statement_timeout": "15s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
    # Short statements only: compiling them costs more than running them.
    "jit": "off",
}
_SET_BRAND = text("SELECT set_config('app.brand', :brand, true)")


class DatabaseUnavailable(Exception):
    """No connection could be had in time; nothing was done, a later try is safe."""


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that remembers what its session is set to, so that nothing is set twice."""

    session_brand: UUID | None = None
    """The brand of its session, for `Database.statement`; every transaction says its own."""

    def get_reset_query(self) -> str:
        """Save the round trip of RESET ALL: whatever a block sets is local to its transaction."""
        return ""

    async def speak_for(self, brand: UUID) -> None:
        """Let the statements outside of transactions be those of one brand."""
        if self.session_brand != brand:
            # Unknown until it is set: an interrupted SET may have come through.
            self.session_brand = None
            await self.execute(f"SET app.brand = '{UUID(int=brand.int)}'")
            self.session_brand = brand


class Database:
    """One database as one role: sessions for ordinary work, plain connections for hot paths.

    `url` is `postgresql://user:password@host:port/name`, or with `?host=/socket/directory`.
    Nothing is opened before it is needed.

    Cancellation: the COMMIT at the end of a block is not interrupted; the cancellation is raised
    after it. So a block that ended in `CancelledError`, or in a lost connection, may or may not
    have been stored, and its caller must not read either as "not stored": every call between the
    services can be repeated for this reason.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        name: str = "permesso",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Remember where the database is.

        `name` is what its list of sessions shows; `settings` are PostgreSQL's own, for every
        connection of these pools.
        """
        self._url = url
        self._size = pool_size
        self._settings = {**_SERVER_SETTINGS, "application_name": name, **(settings or {})}
        self._engine: AsyncEngine | None = None
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def begin(self, brand: UUID | None = None) -> AsyncIterator[AsyncSession]:
        """Open a transaction, for `brand` alone where one is given.

        It is committed at the end of the block and rolled back on an error.
        """
        session = async_sessionmaker(self._sessions(), expire_on_commit=False)()
        try:
            if brand is not None:
                await session.execute(_SET_BRAND, {"brand": str(brand)})
            yield session
            await to_its_end(session.commit())
        finally:
            # Rolls back what was not committed.
            await to_its_end(session.close())

    @asynccontextmanager
    async def connection(
        self, brand: UUID | None = None, *, durable: bool = True
    ) -> AsyncIterator[asyncpg.Connection]:
        """Open a transaction like `begin`, on a plain asyncpg connection; jsonb is orjson's.

        It is begun by hand to save a round trip, so `connection.transaction()` is not for use
        inside: write SAVEPOINT where one is needed.

        With `durable=False` the COMMIT does not wait for the disk. The power may fail and take the
        transaction back; it never takes it back while keeping a durable one that came after it.
        """
        pool = await self._connections()
        connection = await _acquire(pool)
        try:
            named = "" if brand is None else UUID(int=brand.int)
            await connection.execute(
                f"BEGIN; SET LOCAL app.brand = '{named}'"
                + ("" if durable else "; SET LOCAL synchronous_commit = off")
            )
            try:
                yield connection
            except BaseException:
                await to_its_end(_roll_back(connection))
                raise
            await to_its_end(connection.execute("COMMIT"))
        finally:
            await to_its_end(pool.release(connection, timeout=WAIT_FOR_CONNECTION))

    @asynccontextmanager
    async def statement(self, brand: UUID) -> AsyncIterator[asyncpg.Connection]:
        """Open a connection for one statement of one brand, which is a transaction by itself.

        It saves the round trips of BEGIN and COMMIT: where thousands are made a second, they are
        most of the cost. A cancellation cuts the statement; it may or may not have been stored.
        """
        pool = await self._connections()
        connection = await _acquire(pool)
        try:
            await connection.speak_for(brand)
            yield connection
        finally:
            await to_its_end(pool.release(connection, timeout=WAIT_FOR_CONNECTION))

    async def close(self) -> None:
        """Close every connection; those still in use after a few seconds are cut."""
        engine, self._engine = self._engine, None
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                async with asyncio.timeout(WAIT_FOR_CONNECTION):
                    await pool.close()
            except TimeoutError:
                pool.terminate()
        if engine is not None:
            await engine.dispose()

    def _sessions(self) -> AsyncEngine:
        if self._engine is None:
            self._engine = create_async_engine(
                self._url.replace("postgresql://", "postgresql+asyncpg://", 1),
                pool_size=self._size,
                max_overflow=0,
                pool_timeout=WAIT_FOR_CONNECTION,
                pool_pre_ping=True,
                json_serializer=_dumps,
                json_deserializer=orjson.loads,
                connect_args={
                    "server_settings": self._settings,
                    "command_timeout": COMMAND_TIMEOUT,
                    "timeout": WAIT_FOR_CONNECTION,
                },
            )
        return self._engine

    async def _connections(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                try:
                    self._pool = await asyncpg.create_pool(
                        self._url,
                        min_size=1,
                        max_size=self._size,
                        connection_class=_Connection,
                        init=_speak_json,
                        server_settings=self._settings,
                        command_timeout=COMMAND_TIMEOUT,
                        timeout=WAIT_FOR_CONNECTION,
                    )
                except _NO_CONNECTION as error:
                    raise DatabaseUnavailable("cannot connect") from error
            return self._pool


_NO_CONNECTION = (
    OSError,  # includes TimeoutError
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
)


async def _acquire(pool: asyncpg.Pool) -> asyncpg.Connection:
    try:
        return await pool.acquire(timeout=WAIT_FOR_CONNECTION)
    except _NO_CONNECTION as error:
        raise DatabaseUnavailable("no connection in time") from error


async def _roll_back(connection: asyncpg.Connection) -> None:
    """Roll back, or cut a connection that does not answer: the server then rolls back itself."""
    try:
        async with asyncio.timeout(WAIT_FOR_CONNECTION):
            await connection.execute("ROLLBACK")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


async def to_its_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Await work that a cancellation must not interrupt; the cancellation is raised after it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _dumps(value: object) -> str:
    return orjson.dumps(value).decode()


async def _speak_json(connection: asyncpg.Connection) -> None:
    """Read and write jsonb as plain values. Its binary form is text behind one version byte."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda raw: orjson.loads(memoryview(raw)[1:]),
    )
