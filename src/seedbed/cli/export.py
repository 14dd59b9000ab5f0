"""`seedbed export`: a run's rows with a card."""

from __future__ import annotations

from pathlib import Path

import click

from seedbed.export import export_rows


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--to", "folder", type=click.Path(path_type=Path, file_okay=False), help="Directory [default: RUN/export]."
)
@click.option("--form", type=click.Choice(["jsonl", "parquet"]), default="jsonl", show_default=True)
@click.option("--with-gold", is_flag=True, help="Also the gold rows that were trained on.")
@click.option("--licence", help="Licence on the card, such as cc-by-4.0; left out where not given.")
@click.option("--language", help="Language on the card, such as en.")
def command(
    run: Path, folder: Path | None, form: str, with_gold: bool, licence: str | None, language: str | None
) -> None:
    """Write the accepted rows of RUN and a card: models, prompts, cost, use of gold."""
    target = folder or run / "export"
    for file in export_rows(run, target, form=form, with_gold=with_gold, licence=licence, language=language):
        click.echo(file)
