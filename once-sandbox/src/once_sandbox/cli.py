"""The command `once-sandbox`."""

from pathlib import Path
from typing import Annotated, Literal

import typer
import uvicorn
from pydantic import SecretStr

from once_sandbox.main import create_app
from once_sandbox.settings import Settings

cli = typer.Typer(add_completion=False, help="Run a 1NCE Management API on this machine.")


@cli.command()
def serve(
    *,
    sims: Annotated[int | None, typer.Option(min=0, help="How many SIM cards the account has.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same SIMs.")] = None,
    client_id: Annotated[str | None, typer.Option(help="User name for the token endpoint.")] = None,
    client_secret: Annotated[str | None, typer.Option(help="Password for the token endpoint.")] = None,
    profile: Annotated[
        Literal["spec", "recorded"] | None,
        typer.Option(help="spec: as specified; recorded: as seen on the wire."),
    ] = None,
    state_file: Annotated[Path | None, typer.Option(help="Keep the world in this file between runs.")] = None,
) -> None:
    """Serve until stopped."""
    given = {
        "sims": sims,
        "port": port,
        "host": host,
        "seed": seed,
        "client_id": client_id,
        "client_secret": SecretStr(client_secret) if client_secret else None,
        "profile": profile,
        "state_file": state_file,
    }
    _serve(Settings().model_copy(update={name: value for name, value in given.items() if value is not None}))


def _serve(settings: Settings) -> None:
    try:
        app = create_app(settings)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(f"{settings.state_file} holds no world: {str(error)[:200]}") from None
    known = len(app.sandbox.world.sims.by_iccid)
    typer.echo(f"1NCE sandbox: http://{settings.host}:{settings.port}/ with {known} SIMs")
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level.lower(),
        access_log=False,
        server_header=False,
    )


def main() -> None:
    """Entry point of the command."""
    cli()
