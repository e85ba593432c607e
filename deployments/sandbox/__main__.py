"""`python -m deployments.sandbox`: print the environment, then serve until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys

from deployments.sandbox.run import LOOPBACK, build_world, environment, listen, serve
from deployments.sandbox.world import Clock


def main() -> None:
    """Run the world."""
    parser = argparse.ArgumentParser(prog="pipeline sandbox")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0)
    given = parser.parse_args()
    try:
        listener = listen(given.port)
    except OSError as error:
        parser.exit(2, f"The sandbox cannot listen at port {given.port}: {(error.strerror or '').lower()}.\n")
    base_url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    for name, value in environment(base_url).items():
        sys.stdout.write(f"export {name}={value}\n")
    sys.stdout.write(f"# The outside world, for people: {base_url}/\n")
    sys.stdout.flush()
    world = build_world(given.seed, Clock(speed=given.speed))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(world, listener))


if __name__ == "__main__":
    main()
