"""CPU per request of the whole model stack beside bare aiohttp, against one loopback server, in one pass.

python bench/model_stack/run.py [--requests 2000] [--rounds 5]

The server runs in a process of its own; what is measured is the client process. Both clients keep 64 requests in
flight; the stack has ledger, budget, retry and throttle on. Compare the ratios: seconds depend on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

IN_FLIGHT = 64
LATENCY_S = 0.05
HERE = Path(__file__).resolve().parent


def serve(port: Any) -> None:
    """An OpenAI-compatible server that answers everything after a fixed latency."""
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        prompt = (await request.json())["messages"][-1]["content"]
        await asyncio.sleep(LATENCY_S)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"to {prompt}"}}
        return web.json_response(
            {"model": "m", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 9}}
        )

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.put(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(main())


def bare(base: str, count: int) -> None:
    """The floor: aiohttp, a semaphore, a JSON body."""
    import aiohttp

    async def main() -> None:
        gate = asyncio.Semaphore(IN_FLIGHT)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def one(number: int) -> str:
                body = {"model": "m", "messages": [{"role": "user", "content": f"row {number}"}], "max_tokens": 64}
                async with gate, session.post(f"{base}/chat/completions", json=body) as response:
                    found = await response.json()
                    return str(found["choices"][0]["message"]["content"])

            assert len(await asyncio.gather(*(one(number) for number in range(count)))) == count

    asyncio.run(main())


def stack(base: str, count: int) -> None:
    """Everything a run has between its steps and the network."""
    from seedbed.budget import Budget
    from seedbed.ledger import Ledger
    from seedbed.models import Endpoint, open_model
    from seedbed.request import Reply, Request

    settings = Endpoint(concurrency=IN_FLIGHT, usd_per_million_in=1.0, usd_per_million_out=1.0)
    requests = (Request((("user", f"row {number}"),), max_tokens=64) for number in range(count))
    with tempfile.TemporaryDirectory() as folder, Ledger.at(Path(folder) / "ledger.sqlite") as ledger:
        model = open_model(f"{base}#m", ledger=ledger, budget=Budget(ledger, "bench", usd=100.0), settings=settings)
        assert sum(isinstance(reply, Reply) for reply in model.generate(requests)) == count


def measured(client: Callable[[str, int], None], base: str, count: int, found: Any) -> None:
    """CPU and wall seconds of a client, and the peak memory of its process."""
    client(base, 64)  # imports and connections are not what is compared
    cpu, wall = time.process_time(), time.perf_counter()
    client(base, count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found.put({"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "peak_mb": peak})


def main() -> None:
    """Measure in turn, print the medians and the ratios pair by pair, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    port: Any = spawn.Queue()
    server = spawn.Process(target=serve, args=(port,), daemon=True)
    server.start()
    base = f"http://127.0.0.1:{port.get(timeout=60)}/v1"
    runs: dict[str, list[dict[str, float]]] = {"bare aiohttp": [], "whole stack": []}
    for _ in range(args.rounds):
        for name, client in (("bare aiohttp", bare), ("whole stack", stack)):
            found: Any = spawn.Queue()
            process = spawn.Process(target=measured, args=(client, base, args.requests, found))
            process.start()
            runs[name].append(found.get(timeout=600))
            process.join()
    server.terminate()
    for name, lines in runs.items():
        middle = {key: statistics.median(line[key] for line in lines) for key in lines[0]}
        print(
            f"{name}: {1000 * middle['cpu_s'] / args.requests:.2f} ms CPU a request, "
            f"{args.requests / middle['wall_s']:.0f} requests/s, peak {middle['peak_mb']:.0f} MB"
        )
    pairs = list(zip(runs["whole stack"], runs["bare aiohttp"], strict=True))
    ratios = {key: sorted(a[key] / b[key] for a, b in pairs) for key in ("cpu_s", "wall_s")}
    for key, values in ratios.items():
        print(
            f"{key} ratio, pair by pair: median {statistics.median(values):.2f} [{values[0]:.2f} to {values[-1]:.2f}]"
        )
    kept = {"requests": args.requests, "in_flight": IN_FLIGHT, "latency_s": LATENCY_S, "runs": runs, "ratios": ratios}
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "latest.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
