"""``collect``: take the messages of a stream, as long as it runs."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Annotated

import typer

from lakehouse.context import both, utc_now

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


def register(app: typer.Typer, demo: typer.Typer) -> None:
    """Put ``collect`` at the top level, and ``publish`` beside the demo district."""
    app.command()(collect)
    demo.command("publish")(demo_publish)


def collect(
    feed_id: Annotated[str, typer.Argument(metavar="FEED", help="A feed with connector mqtt.")],
    idle: Annotated[
        float | None, typer.Option(min=0.1, help="End when no message came for so many seconds; default: never.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take the messages of a stream into micro-batches, until Ctrl-C or SIGTERM."""
    from ingestion.streams.collect import collect as take
    from lakehouse.present import note, print_json, print_table

    settings, catalog = both()
    done = take(
        settings, catalog, feed_id, stop=_interrupted(), say=(lambda _: None) if as_json else note, idle_seconds=idle
    )
    if as_json:
        print_json(done.__dict__)
        return
    rows = done.rows
    print_table(
        f"{feed_id} · {catalog.feed(feed_id).title}",
        ("received", "acknowledged", "found", "loaded", "quarantined", "skipped"),
        [
            (
                done.received,
                done.acknowledged,
                *(rows.get(f"rows_{k}", 0) for k in ("found", "loaded", "quarantined", "skipped")),
            )
        ],
    )


def demo_publish(
    host: Annotated[str, typer.Option(help="Broker.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port, without TLS.")] = 1883,
    rate: Annotated[float, typer.Option(min=0.1, max=2000, help="Messages a second.")] = 20,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long.")] = 60,
    residents: Annotated[int, typer.Option(min=100, help="Size of the demo district.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of the demo district.")] = 1,
    as_json: Json = False,
) -> None:
    """Publish live messages of the demo district's sensors to a broker."""
    from datetime import date

    from catalog.errors import SourceUnavailable
    from demo.live import publish
    from demo.world import make_world
    from lakehouse.present import note, print_json

    world = make_world(seed=seed, as_of=date(2026, 6, 30), residents=residents, faults=0.0)
    try:
        sent = publish(world, host=host, port=port, per_second=rate, seconds=seconds, now=utc_now)
    except OSError as e:
        raise SourceUnavailable(
            f"no broker answers: {e.strerror or type(e).__name__}", hint="start one: apt-get install mosquitto",
            host=host, port=port,
        ) from e  # fmt: skip
    if as_json:
        print_json({"published": sent})
    else:
        note(f"{sent:,} messages published")


def _interrupted() -> threading.Event:
    """Set by Ctrl-C and SIGTERM."""
    stop = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    return stop
