"""The `permesso` command: everything on one machine, or one of its parts."""

import asyncio
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from pydantic import ValidationError
from pydantic_settings import BaseSettings

Settings = TypeVar("Settings", bound=BaseSettings)

cli = typer.Typer(
    name="permesso",
    help="The gateway through which a brand talks to people, and never without their yes.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would show secrets.
    pretty_exceptions_enable=False,
)


@cli.command()
def up(
    data_dir: Annotated[Path, typer.Option(help="Where data, keys and logs are.")] = Path("data"),
    port: Annotated[
        int, typer.Option(help="The gateway's; consent +1, dispatcher +2, sandbox +10.")
    ] = 8080,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when ready, nothing else.")
    ] = False,
    demo: Annotated[bool, typer.Option(help="Send a story to a demo brand's people.")] = True,
) -> None:
    """Run everything on this machine: PostgreSQL, the services, the sandbox. Ctrl-C stops it."""
    from services.local.up import up as run

    raise typer.Exit(run(data_dir, port=port, demo=demo, as_json=as_json))


@cli.command()
def gateway() -> None:
    """Run the gateway, which lets in. Settings: GATEWAY_*"""
    _serve("gateway")


@cli.command()
def consent() -> None:
    """Run consent, which remembers. Settings: CONSENT_*"""
    _serve("consent")


@cli.command()
def dispatcher() -> None:
    """Run the dispatcher, which delivers. Settings: DISPATCHER_*"""
    _serve("dispatcher")


@cli.command()
def migrate() -> None:
    """Make the roles and bring every schema up to date. Settings: MIGRATE_*"""
    from shared import telemetry
    from shared.migrate import migrate_all
    from shared.settings import MigrateSettings

    telemetry.configure("migrate")
    settings = _settings(MigrateSettings)
    asyncio.run(migrate_all(settings.database_url.get_secret_value(), settings.passwords()))


@cli.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sandbox(context: typer.Context) -> None:
    """Run the simulated platforms: phones for trying, tests and load."""
    # Another program, which knows its own options.
    os.execv(sys.executable, [sys.executable, "-m", "sandbox", *context.args])  # noqa: S606


@cli.command()
def keys(
    database: Annotated[
        str | None, typer.Option(metavar="HOST:PORT/NAME", help="Print its addresses too.")
    ] = None,
) -> None:
    """Print fresh keys and passwords for all services, as lines for an environment file."""
    from services.local.keys import as_environment, fresh_keys

    for name, value in as_environment(fresh_keys(), database=database).items():
        typer.echo(f"{name}={value}")


ledger = typer.Typer(help="The consent ledger, for those who do not believe us.")
cli.add_typer(ledger, name="ledger")


@ledger.command()
def export(
    brand: Annotated[UUID, typer.Argument(help="The brand whose ledger it is.")],
    to: Annotated[Path, typer.Option(help="The file to write; it must not be there yet.")],
) -> None:
    """Write a brand's signed log into a file, and print the key to verify it with. CONSENT_*"""
    from services.consent.ledger_file import write
    from services.consent.settings import Settings as ConsentSettings
    from shared.database import DatabaseUnavailable

    settings = _settings(ConsentSettings)
    try:
        key = asyncio.run(write(settings, brand, to))
    except (OSError, DatabaseUnavailable) as error:
        typer.echo(f"Nothing was exported, or not all of it: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"--key {key}")


@ledger.command()
def rewrap() -> None:
    """Put the keys of persons under the newest of CONSENT_SEALING_KEYS, and say how many. CONSENT_*

    Once it says 0, and the backups of before are gone, the older keys can be destroyed.
    """
    from services.consent.rewrapping import run
    from services.consent.settings import Settings as ConsentSettings
    from shared.database import DatabaseUnavailable
    from shared.security.sealing import SealBroken

    settings = _settings(ConsentSettings)
    try:
        typer.echo(f"{asyncio.run(run(settings))} keys of persons were wrapped anew.")
    except (OSError, DatabaseUnavailable, SealBroken) as error:
        typer.echo(f"Not all keys were wrapped anew: {error}", err=True)
        raise typer.Exit(2) from None


@ledger.command()
def verify(
    file: Annotated[Path, typer.Argument(help="What `permesso ledger export` wrote.")],
    key: Annotated[
        list[str], typer.Option(help="The log's NAME+ID+KEY, from elsewhere than the file.")
    ],
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint kept earlier, by a witness say; the file must fit it."),
    ] = None,
) -> None:
    """Verify an export offline. Ends with 0 when all of it is what was signed, otherwise 1."""
    from shared.ledger.verify import run

    raise typer.Exit(run(file, key, checkpoint or []))


@ledger.command()
def audit(
    brand: Annotated[UUID, typer.Argument(help="The brand whose ledger it is.")],
    key: Annotated[
        list[str] | None, typer.Option(help="A NAME+ID+KEY that signed before today's key.")
    ] = None,
) -> None:
    """Compare the stored lines, leaves, nodes and checkpoints of a brand. CONSENT_*

    Ends with 0 when they fit together, with 1 and a line for each finding, or with 2.
    """
    from services.consent.ledger_file import audit as run
    from services.consent.settings import Settings as ConsentSettings
    from shared.database import DatabaseUnavailable
    from shared.ledger.notes import NoteKey

    settings = _settings(ConsentSettings)
    try:
        old = [NoteKey.parse(each) for each in key or []]
        done, findings = asyncio.run(run(settings, brand, old_keys=old))
    except (OSError, ValueError, DatabaseUnavailable) as error:
        typer.echo(f"Nothing was audited, or not all of it: {error}", err=True)
        raise typer.Exit(2) from None
    for finding in findings:
        typer.echo(f"{finding.code}: {finding.text}")
    what = f"{done.lines} lines under {done.checkpoints} checkpoints"
    typer.echo(f"DAMAGED: {len(findings)} findings in {what}." if findings else f"WHOLE: {what}.")
    raise typer.Exit(1 if findings else 0)


proof = typer.Typer(help="Why a person got a message, for those who have to answer for it.")
cli.add_typer(proof, name="proof")


@proof.command("verify")
def verify_proof(
    file: Annotated[
        Path, typer.Argument(help="The answer of /v1/messages/…/proof or /v1/ledger/proofs/….")
    ],
    key: Annotated[
        list[str], typer.Option(help="The log's NAME+ID+KEY, from elsewhere than the file.")
    ],
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint kept earlier; the proof was asked for with its size."),
    ] = None,
) -> None:
    """Verify a proof offline. Ends with 0 when it holds, with 1 when not, with 2 for misuse."""
    from services.local.proof_report import show
    from shared.ledger.verify_proof import run

    raise typer.Exit(run(file, key, checkpoint or [], show=show))


receipt = typer.Typer(help="Receipts of consents, for those who hold one.")
cli.add_typer(receipt, name="receipt")


@receipt.command("verify")
def verify_receipt(
    file: Annotated[Path, typer.Argument(help="A receipt: the signed text, or the JSON with it.")],
    key: Annotated[
        list[str], typer.Option(help="The log's NAME+ID+KEY, from elsewhere than the receipt.")
    ],
) -> None:
    """Verify a receipt offline, and print what it says. Ends with 0 when it is genuine."""
    from shared.ledger.receipt_file import run

    raise typer.Exit(run(file, key))


def _serve(name: str) -> None:
    """Run one service; only its own code is imported, as some of it takes seconds to load."""
    from shared import telemetry
    from shared.server import serve

    settings = _settings(import_module(f"services.{name}.settings").Settings)
    telemetry.configure(name, level=settings.log_level)
    telemetry.serve_metrics(settings.metrics_port, settings.metrics_host)
    app = import_module(f"services.{name}.app").create_app(settings)
    code = serve(app, host=settings.host, port=settings.port)
    sys.stdout.flush()
    # All is closed by now; taking the interpreter apart would be another second and a half.
    os._exit(code)


def _settings(kind: type[Settings]) -> Settings:
    """Read the environment, or say which variables are wrong, and never what is in them."""
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        for each in error.errors(include_input=False, include_context=False):
            variable = prefix + "_".join(str(step) for step in each["loc"][:1]).upper()
            typer.echo(f"{variable}: {each['msg']}", err=True)
        raise typer.Exit(2) from None


def main() -> None:
    """Run the command line."""
    cli()


if __name__ == "__main__":
    main()
