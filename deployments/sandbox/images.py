"""The suppliers' image host: real JPEG and PNG files, dead addresses, and pages that only look like pictures."""

from __future__ import annotations

import hashlib
import io
from functools import lru_cache

from PIL import Image, ImageDraw

from deployments.sandbox.wire import Reply, Request

SIZE = (480, 360)


@lru_cache(maxsize=1_024)
def picture(token: str) -> tuple[bytes, str]:
    """A picture that is always the same for a name, and its content type."""
    digest = hashlib.sha256(token.encode()).digest()
    image = Image.new("RGB", SIZE, (200 + digest[0] % 50, 200 + digest[1] % 50, 200 + digest[2] % 50))
    draw = ImageDraw.Draw(image)
    for at in range(3):
        left, top = digest[3 + at] % 260 + 20, digest[6 + at] % 160 + 20
        colour = (digest[9 + at], digest[12 + at], digest[15 + at])
        draw.rounded_rectangle((left, top, left + 160, top + 130), radius=18, fill=colour)
    draw.text((16, SIZE[1] - 24), token[:60], fill=(40, 40, 40))
    kind = "PNG" if token.endswith(".png") else "JPEG"
    file = io.BytesIO()
    image.save(file, kind, quality=80)
    return file.getvalue(), f"image/{kind.lower()}"


class Images:
    """The vendor, as the world knows it."""

    name = "images"

    def operation(self, request: Request) -> str:
        """Every picture is one call."""
        return "GET picture"

    def throttled(self) -> Reply:
        """Too many requests."""
        return Reply(429, b"slow down")

    def broken(self) -> Reply:
        """An error inside."""
        return Reply(500, b"broken")

    def handle(self, request: Request) -> Reply:
        """Serve a picture, or what stands in its place."""
        token = request.path.rsplit("/", 1)[-1]
        if token.startswith("dead-"):
            return Reply(404, b"not found", {"content-type": "text/plain"})
        if token.startswith("html-"):
            return Reply(200, b"<html><body>Moved</body></html>", {"content-type": "text/html"})
        body, kind = picture(token)
        return Reply(200, body, {"content-type": kind})
