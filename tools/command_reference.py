"""docs/commands.md, from the commands themselves: `python tools/command_reference.py > docs/commands.md`."""

from typing import Any

from typer.main import get_command

from reparam.cli.main import EXIT_CODES, VERBS, app

HEAD = """# Commands

<!-- Written by `python tools/command_reference.py > docs/commands.md`; a test checks that it is current. -->

`reparam COMMAND ...`, or `python -m reparam COMMAND ...`. `reparam --version` prints the version,
`reparam --install-completion` completes commands and options in the shell. Results and JSON are on stdout;
notes, progress and warnings are on stderr.
"""
COMMON = ("quiet", "verbose")


def page() -> str:
    """The reference of all commands."""
    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    parts = [HEAD, common(commands["fit"]), *(section(name, commands[name]) for name in VERBS), codes()]
    return "\n".join(parts)


def common(command: Any) -> str:
    rows = [option_line(option) for option in command.params if option.name in COMMON]
    return "\n".join(["Every command takes", "", *rows, ""])


def section(name: str, command: Any) -> str:
    """A command: how it is called, what it does, its arguments and options."""
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [
        each
        for each in command.params
        if each.param_type_name == "option" and each.name not in (*COMMON, "help")
    ]
    words = [each.name.upper() + ("..." if each.nargs == -1 else "") for each in arguments]
    needed = [f"{each.opts[0]} {each.name.upper()}" for each in options if each.required]
    call = " ".join(
        ["reparam", name, *words, *needed, *(["[OPTIONS]"] if len(options) > len(needed) else [])]
    )
    lines = [f"## {name}", "", f"    {call}", "", paragraph(command.help), ""]
    lines += [f"- `{each.name.upper()}`: {paragraph(each.help)}" for each in arguments]
    lines += [option_line(option) for option in options]
    return "\n".join([*lines, ""])


def option_line(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    about = paragraph(option.help) or "a number"
    several = "; may be given several times" if option.multiple else ""
    usual = (
        "" if option.default in (None, False, [], ()) or option.required else f"; default {option.default}"
    )
    return f"- {names}: {about}{several}{usual}"


def paragraph(text: str | None) -> str:
    return " ".join((text or "").split())


def codes() -> str:
    rows = [f"| {status} | {about} |" for status, about in EXIT_CODES.items()]
    return "\n".join(["## Exit status", "", "| status | what it says |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    print(page(), end="")
