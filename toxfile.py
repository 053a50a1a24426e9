"""A tox plugin in the project itself: environments with one `env_dir` share what is installed there.

tox notes the name of the environment in its directory, and makes the directory anew when another name comes along.
Every environment of tox.ini installs the same things, so here the name is left out of that note. What tox notes
besides (interpreter, dependencies, package) still decides whether anything is installed again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tox.plugin import impl
from tox.tox_env.info import Info
from tox.tox_env.python.virtual_env.runner import VirtualEnvRunner
from tox.tox_env.register import ToxEnvRegister


class NamelessInfo(Info):
    """tox's note in the environment's directory, without the environment's name."""

    @contextmanager
    def compare(self, value: Any, section: str, sub_section: str | None = None) -> Iterator[tuple[bool, Any | None]]:
        """Compare `value`, less its name, with what was noted last time; note it when the block ends well."""
        if section == "ToxEnv":
            value = {key: kept for key, kept in value.items() if key != "name"}
        with super().compare(value, section, sub_section) as answer:
            yield answer


class SharedRunner(VirtualEnvRunner):
    """tox's own virtual environment, with the note above."""

    @staticmethod
    def id() -> str:
        """The name that `runner =` in tox.ini asks for."""
        return "shared"

    @property
    def cache(self) -> Info:
        """The note of this environment's directory."""
        return NamelessInfo(self.env_dir)


@impl
def tox_register_tox_env(register: ToxEnvRegister) -> None:
    """Make `runner = shared` known to tox."""
    register.add_run_env(SharedRunner)
