"""The controller, to submit studies and to find them: for calls that wait, and for calls that are awaited."""

from typing import Any, Self

from pernodedrop.client import operations
from pernodedrop.client.answers import Overview, StudyState
from pernodedrop.client.awaited import AsyncStudy
from pernodedrop.client.connection import TIMEOUT, AsyncConnection, Connected, Controller
from pernodedrop.client.operations import Definition
from pernodedrop.client.study import Study


class Client(Connected):
    """Calls one controller. Threads may share it; `with` or `close` ends its connections."""

    def submit(self, definition: Definition, name: str | None = None) -> Study:
        """Create a study; workers begin at once.

        Args:
            definition: The study's definition as a dict, a YAML or JSON file by its path, or a preset by its name.
            name: The study's name, instead of the definition's.

        Raises:
            Refused: the definition breaks rules, a line each, or the name is taken.
            Unreachable: nobody answers.
            OSError: the file cannot be read.
        """
        created = self._connection.run(operations.submit(definition, name))
        return Study(self._connection, created.name, created.advice)

    def definition(self, source: Definition) -> dict[str, Any]:
        """A definition to be changed before it is submitted: of a file by its path, or of a preset by its name."""
        return self._connection.run(operations.definition(source))

    def study(self, name: str) -> Study:
        """The study of this name.

        Raises:
            Refused: no study has this name.
            Unreachable: nobody answers.
        """
        return Study(self._connection, self._connection.run(operations.study(name)).name)

    def studies(
        self, text: str | None = None, *, tag: str | None = None, state: StudyState | None = None
    ) -> list[Overview]:
        """Every study, the newest first, or those with this text in name, description or note, this tag, this state.

        Raises:
            Refused: the text has more than 200 characters, or it is no tag or state.
            Unreachable: nobody answers.
        """
        return self._connection.run(operations.studies(text, tag, state))


class AsyncClient:
    """Calls one controller, as `Client` does; every call is awaited, and `async with` ends its connections."""

    def __init__(self, url: str | None = None, api_key: str | None = None, timeout: float = TIMEOUT) -> None:
        """A client of the controller at `url`; see `Client`."""
        self._connection = AsyncConnection(Controller(url, api_key, timeout))

    @property
    def url(self) -> str:
        """The controller's address, without a name and password in it."""
        return self._connection.url

    async def submit(self, definition: Definition, name: str | None = None) -> AsyncStudy:
        """Create a study; see `Client.submit`."""
        created = await self._connection.run(operations.submit(definition, name))
        return AsyncStudy(self._connection, created.name, created.advice)

    async def definition(self, source: Definition) -> dict[str, Any]:
        """A definition to be changed before it is submitted; see `Client.definition`."""
        return await self._connection.run(operations.definition(source))

    async def study(self, name: str) -> AsyncStudy:
        """The study of this name; see `Client.study`."""
        return AsyncStudy(self._connection, (await self._connection.run(operations.study(name))).name)

    async def studies(
        self, text: str | None = None, *, tag: str | None = None, state: StudyState | None = None
    ) -> list[Overview]:
        """Every study that is sought, the newest first; see `Client.studies`."""
        return await self._connection.run(operations.studies(text, tag, state))

    async def close(self) -> None:
        """End the connections."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self.url!r})"
