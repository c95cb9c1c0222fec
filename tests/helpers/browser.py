"""A page in headless Chromium, driven over the pipe of its DevTools protocol: no package is needed for it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PATIENCE = 60  # seconds


class Page:
    """A tab. `requests`: all addresses that it asked for. `errors`: what its console and its scripts complained of."""

    def __init__(self, write: int, read: int) -> None:
        self.write, self.read, self.session, self.count = write, read, None, 0
        self.pending = b""
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.loaded = 0
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a method of the protocol."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        """The next message; events are noted."""
        while b"\0" not in self.pending:
            assert select.select([self.read], [], [], PATIENCE)[0], "the browser does not answer"
            received = os.read(self.read, 1 << 16)
            assert received, "the browser has gone"
            self.pending += received
        first, _, self.pending = self.pending.partition(b"\0")
        message = json.loads(first)
        match message.get("method"), message.get("params", {}):
            case "Network.requestWillBeSent", told:
                self.requests.append(told["request"]["url"])
            case "Runtime.exceptionThrown", told:
                self.errors.append(json.dumps(told["exceptionDetails"]))
            case "Log.entryAdded", told if told["entry"]["level"] == "error":
                self.errors.append(told["entry"]["text"])
            case "Runtime.consoleAPICalled", told:
                self.errors.append(json.dumps(told["args"]))
            case "Page.loadEventFired", _:
                self.loaded += 1
        return message

    def open(self, path: Path, width: int = 1280, height: int = 900, anchor: str = "") -> None:
        """Show a file in a window of that size, and wait until it is loaded."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        before = self.loaded
        self.send("Page.navigate", url="about:blank")
        while self.loaded == before:
            self._next()
        self.requests.clear()
        self.send("Page.navigate", url=path.resolve().as_uri() + anchor)
        while self.loaded < before + 2:
            self._next()

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def media(self, **features: str) -> None:
        """Set what media queries see: prefers_color_scheme="dark"."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.send("Emulation.setEmulatedMedia", features=named)

    def pages(self) -> int:
        """On how many sheets of A4 it prints."""
        data = self.send("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True)["data"]
        return base64.b64decode(data).count(b"/Type /Page\n")

    def picture(self, path: Path, whole: bool = False) -> None:
        """Write what the window shows, or all of the page, as PNG."""
        data = self.send("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A page of a Chromium that keeps its profile in `folder`."""
    (to_read, write), (read, to_write) = os.pipe(), os.pipe()

    def pipes() -> None:  # the protocol's: 3 in, 4 out
        spare = [os.dup(to_read), os.dup(to_write)]
        os.dup2(spare[0], 3)
        os.dup2(spare[1], 4)

    command = [CHROMIUM, *OPTIONS, "--remote-debugging-pipe", f"--user-data-dir={folder}"]
    process = subprocess.Popen(
        command, preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(to_read)
    os.close(to_write)
    try:
        yield Page(write, read)
    finally:
        process.kill()
        process.wait()
        os.close(write)
        os.close(read)
