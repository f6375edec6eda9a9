"""Writes the generated pages of docs/reference from the code. `make docs` runs it; a test fails where a page is not current.

python docs/generate.py            writes the pages
python docs/generate.py --check    writes nothing, names the pages that are not current and exits 1
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer.main

sys.path.insert(0, str(Path(__file__).parent))

import feature_pages
import signal_pages

from gateway import config
from gateway.cli.main import app
from gateway.console import openapi
from gateway.log import EVENTS
from gateway.metrics import METRICS
from rules import loader

Command = Any  # typer carries a copy of click of its own and names no public type for it
Parameter = Any

HERE = Path(__file__).parent / "reference"
NOTE = "Written from the code by `make docs`; do not edit.\n"


def pages() -> dict[str, str]:
    """File name in docs/reference → its text."""
    rules = loader.load()
    return {
        "config.md": config.reference(),
        **signal_pages.pages(rules, NOTE, table),
        "metrics.md": metrics(),
        "features.md": feature_pages.page(NOTE, table),
        "logs.md": logs(),
        "commands.md": commands(),
        "api.md": api(),
    }


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )


# metrics and logs


def metrics() -> str:
    rows = []
    for name, spec in METRICS.items():
        shown = (
            f"`{name}_total`"
            if spec.kind == "counter"
            else f"`{name}_sum`, `{name}_count`"
            if spec.kind == "summary"
            else f"`{name}`"
        )
        rows.append((shown, spec.kind, ", ".join(f"`{label}`" for label in spec.labels), spec.help))
    return "\n".join(
        (
            "# Metrics\n",
            NOTE,
            "`GET /metrics` on the admin listener, in the text format that Prometheus reads. Counters start at 0 with the process. No label holds",
            "a personal value. [Health and alerts](../operators/health.md) says which of them to watch.\n",
            table(("metric", "kind", "labels", "meaning"), rows),
            "",
        )
    )


def logs() -> str:
    return "\n".join(
        (
            "# Log lines\n",
            NOTE,
            "One JSON object a line on standard error. Each has `event`, `level` and `timestamp` (UTC); the other keys belong to the event. Event",
            "names are stable: alerts may rely on them. E-mail addresses and phone numbers are blacked out, IP addresses are cut to their network.\n",
            table(("event", "meaning"), [(f"`{name}`", text) for name, text in EVENTS.items()]),
            "",
        )
    )


# commands


def commands() -> str:
    root = typer.main.get_command(app)
    parts = [
        "# Commands\n",
        NOTE,
        "After `make run` the command is `.venv/bin/leadgate`. `--help` behind any command shows the same.\n",
        "Exit codes: 0 done, 1 failed (or a difference was found), 2 bad usage or bad settings. `--json` prints JSON on standard output; errors",
        "go to standard error, one sentence with the remedy.\n",
    ]
    for name, command in leaves("leadgate", root):
        parts += [f"## {name}\n", f"{one_line(command.help)}\n", f"`{usage(name, command)}`\n"]
        rows = [described(parameter, context(name, command)) for parameter in command.params if not parameter.hidden]
        parts += [table(("argument or option", "meaning"), rows), ""] if rows else []
    return "\n".join(parts)


def leaves(name: str, command: Command) -> Iterator[tuple[str, Command]]:
    children: dict[str, Command] | None = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    for child, below in children.items():
        yield from leaves(f"{name} {child}", below)


def one_line(text: str | None) -> str:
    return re.sub(r"\s+", " ", (text or "").strip())


def usage(name: str, command: Command) -> str:
    pieces = [piece.strip("{}") for piece in command.collect_usage_pieces(context(name, command))]
    return " ".join([name, *pieces])


def context(name: str, command: Command) -> Any:
    return command.context_class(command, info_name=name)


def described(parameter: Parameter, place: Any) -> tuple[str, str]:
    """What `--help` says of an option or argument: its spelling, and its meaning with bounds and default."""
    spelling, meaning = parameter.get_help_record(place) or ("", "")
    return f"`{spelling.strip('{}')}`", one_line(meaning)


# API


def api() -> str:
    document = openapi.document()
    rows, details = [], []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            rows.append((f"`{method.upper()} {path}`", operation["summary"]))
            query = [p for p in operation["parameters"] if p["in"] == "query"]
            if query:
                details += [
                    f"### {method.upper()} {path}\n",
                    table(("parameter", "meaning"), [(f"`{p['name']}`", meaning(p)) for p in query]),
                    "",
                ]
    return "\n".join(
        (
            "# API of the admin listener\n",
            NOTE,
            "The whole description, with every field of every answer, is the OpenAPI 3.1 document at `/api/v1/openapi.json` of the running gateway.\n",
            "Every request under `/api/v1/` needs the header `Authorization: Bearer TOKEN`. The token is the one in `LEADGATE_ADMIN_TOKEN` or",
            "`admin.token_file`; without one the API answers 401. Errors are `application/problem+json` (RFC 9457) with `title`, `status` and",
            '`detail`, which names the remedy. Lists answer `{"items": [...], "next_cursor": "..." | null}`; give `next_cursor` back as `cursor`.\n',
            table(("request", "what it does"), rows),
            "",
            "A page that holds fewer items than `limit` can still have a `next_cursor`: a search with `q` looks through so many records at a time.\n",
            *details,
            "## Health\n",
            "These three, and a plain text index at `/`, answer without a token to callers on the same machine (loopback). Others need the token.\n",
            table(
                ("request", "what it says"),
                (
                    ("`GET /healthz`", "200 while the process is alive"),
                    (
                        "`GET /readyz`",
                        "200 where requests should be sent here, 503 otherwise; `reasons` why not, `advice` what to mend meanwhile",
                    ),
                    ("`GET /metrics`", "[metrics](metrics.md)"),
                ),
            ),
            "",
        )
    )


def meaning(parameter: dict[str, object]) -> str:
    text = str(parameter["description"])
    schema = parameter["schema"]
    choices = schema.get("enum") if isinstance(schema, dict) else None
    return text + (f" One of {', '.join(map(str, choices))}." if choices else "")


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    written = pages()
    stale = [
        name for name, text in written.items() if not (HERE / name).exists() or (HERE / name).read_text("utf-8") != text
    ]
    for name in stale:
        print(f"{'not current' if check else 'written'}: docs/reference/{name}")
        if not check:
            (HERE / name).parent.mkdir(exist_ok=True)
            (HERE / name).write_text(written[name], "utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
