"""Tells a webhook that a run failed: Slack's, Teams', or one of your own."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from urllib.parse import urlsplit

from c360_graph.text import visible

_TIMEOUT_SECONDS = 10.0
_MOST_TEXT = 2_000
"""Slack cuts a message after 4,000 characters."""


@dataclass(frozen=True, kw_only=True)
class FailureNotice:
    """What is told of a failed run."""

    run_id: str
    job: str
    message: str
    failed_steps: tuple[str, ...] = ()
    run_url: str | None = None

    def body(self) -> bytes:
        """JSON: `text` for a chat, and the same in parts for a program.

        >>> notice = FailureNotice(run_id="4c1f", job="build_graph", message="Steps failed: ['a'].")
        >>> json.loads(notice.body())["text"]
        "build_graph failed (run 4c1f): Steps failed: ['a']."
        """
        where = f"run {self.run_id}" if self.run_url is None else self.run_url
        message = visible(self.message)[:_MOST_TEXT]
        return json.dumps(
            {
                "text": f"{self.job} failed ({where}): {message}",
                "status": "failed",
                "job": self.job,
                "run_id": self.run_id,
                "run_url": self.run_url,
                "failed_steps": list(self.failed_steps),
                "message": message,
            }
        ).encode()


def post(notice: FailureNotice, *, url: str) -> str | None:
    """Send a notice; why it could not be, None where it was.

    The address is not told, since whoever has it can write to the chat.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        return "C360_FAILURE_WEBHOOK is not an http or https URL"
    request = urllib.request.Request(  # noqa: S310
        url, data=notice.body(), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        return f"the webhook answered {error.code}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        return f"the webhook cannot be reached: {reason}"
