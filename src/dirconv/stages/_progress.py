"""Progress of a long job: a bar on a terminal, plain lines elsewhere, and the same lines in a log."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tqdm import tqdm

EVERY = 10.0  # seconds between plain lines


class Progress:
    """Shows how far a job is and what it measures.

    `history` lies beside the checkpoint and outlives a kill. `log`, which Snakemake deletes before it reruns a job,
    starts with it: a resumed job's log tells all that the job has done.
    """

    def __init__(self, title: str, log: Path, history: Path) -> None:
        self.title = title
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(history.read_text(encoding="utf-8") if history.exists() else "", encoding="utf-8")
        self._files = (log, history)
        self._bar = tqdm(
            total=100,
            desc=title,
            disable=None,
            leave=False,
            bar_format="{desc} {percentage:3.0f}%|{bar:20}| {postfix} {elapsed}<{remaining}",
        )
        self._start = self._last = time.monotonic()
        self._first: float | None = None

    def update(self, share: float, text: str, final: bool = False) -> None:
        """Show progress. share: 0 to 1; text: what is measured, e.g. 'epoch 12  log10 L −3.1  cos 0.12'."""
        moment = time.monotonic()
        self._bar.n = round(100 * share, 1)
        self._bar.set_postfix_str(text.strip(), refresh=False)
        self._bar.update(0)
        if self._first is None:
            self._first = share  # a resumed job starts with what is done already
        if final or moment - self._last >= EVERY:
            self._last = moment
            elapsed, done = moment - self._start, share - self._first
            left = f"{elapsed * (1 - share) / done:.0f} s left" if done > 0 and not final else f"{elapsed:.0f} s"
            self.line(f"{100 * share:5.1f}%  {text}  {left}")

    def line(self, text: str) -> None:
        """Write a plain line to the log, and to standard error where no bar is shown."""
        text = f"{self.title}: {text}"
        for path in self._files:
            with open(path, "a", encoding="utf-8") as file:
                print(time.strftime("%H:%M:%S"), text, file=file)
        if self._bar.disable:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()
