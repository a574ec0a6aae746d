"""A group of commands that names the command which was probably meant."""

from typing import Any

from typer.core import TyperGroup

from pernodedrop.near import nearest

# What other programs call what ours do.
OTHER_WORDS = {
    **dict.fromkeys(("show", "list", "ls", "status", "get", "describe", "ps", "study", "results", "best"), "studies"),
    **dict.fromkeys(("start", "up"), "serve"),
    **dict.fromkeys(("kill", "abort", "end"), "stop"),
    **dict.fromkeys(("rm", "remove", "drop"), "delete"),
    **dict.fromkeys(("follow", "progress", "tail"), "watch"),
    **dict.fromkeys(("create", "add", "new"), "submit"),
    **dict.fromkeys(("cp", "copy", "duplicate"), "clone"),
    **dict.fromkeys(("init", "migrate", "audit"), "db"),
    **dict.fromkeys(("unpause", "continue"), "resume"),
    **dict.fromkeys(("ui", "web", "server"), "dashboard"),
    **dict.fromkeys(("export", "html", "csv"), "report"),
}


class NearGroup(TyperGroup):
    """Refuses an unknown command with the one that is near, by its letters or by its meaning."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in self.commands and not name.startswith("-"):
            there = [each for each, command in self.commands.items() if not command.hidden]
            meant = OTHER_WORDS.get(name.casefold())
            if meant not in there:
                meant = nearest(name, there)
            remedy = f"it has {', '.join(there)}" if meant is None else f"did you mean {meant}?"
            ctx.fail(f"there is no command {name[:60]!r}: {remedy}")
        return super().resolve_command(ctx, args)
