"""`make run`: the example site, the gateway in front of it, and where to look. Ctrl-C stops both."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parent.parent
HERE = Path(__file__).parent

GUIDE = """
  Leadgate is running in front of the example site.

  See it      http://127.0.0.1:8080/offer     the site, through the gateway: send the form
              http://127.0.0.1:8080/inbox     what the site received, with the gateway's verdict
  Try a bot   curl -d 'full_name=Bot&email=x@mailinator.com' http://127.0.0.1:8080/lead
  Ask why     .venv/bin/leadgate explain ID --config examples/leadgate.yaml      (the ID is on the inbox page)
              .venv/bin/leadgate leads list --config examples/leadgate.yaml
  By API      curl -H 'Authorization: Bearer {token}' http://127.0.0.1:8081/api/v1/records
  Old logs    .venv/bin/leadgate replay /var/log/nginx/access.log --html report.html

  Ctrl-C stops the gateway and the site.
"""


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


START_S = 180
"""A slow or busy machine may take minutes until the databases are unpacked and read; who ends with an error is noticed at once."""


def wait_for(port: int, process: subprocess.Popen[bytes], seconds: float = START_S) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.1)
    return False


def stop(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    taken = [port for port in (8080, 8081, 9000) if not port_is_free(port)]
    if taken:
        print(
            f"Port {taken[0]} is in use by another program; stop it first (make run needs 8080, 8081 and 9000).",
            file=sys.stderr,
        )
        return 1
    signal.signal(signal.SIGTERM, stop)
    token = os.environ.get("LEADGATE_ADMIN_TOKEN") or secrets.token_urlsafe(24)
    environment = os.environ | {"LEADGATE_ADMIN_TOKEN": token}
    started: list[subprocess.Popen[bytes]] = []
    try:
        for port, command in (
            (9000, [sys.executable, str(HERE / "site" / "site.py"), "--port", "9000"]),
            (8080, [sys.executable, "-m", "gateway.cli", "serve", "--config", str(HERE / "leadgate.yaml")]),
        ):
            # A session of their own, so that Ctrl-C reaches this program alone and it stops them in order.
            process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
            started.append(process)
            if not wait_for(port, process):
                why = f"does not answer after {START_S} seconds" if process.poll() is None else "did not start"
                print(f"{' '.join(command)} {why}; see the lines above.", file=sys.stderr)
                return 1
        print(GUIDE.format(token=token), flush=True)
        while all(process.poll() is None for process in started):
            time.sleep(0.5)
        print("One of the two ended by itself; see the lines above.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopping …")
        return 0
    finally:
        for process in reversed(started):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()


if __name__ == "__main__":
    sys.exit(main())
