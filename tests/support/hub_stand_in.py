"""A hub of one's own: its cache's layout on disk, and the few addresses of its server that a download asks for."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Files = Mapping[str, bytes]


def cached(cache: Path, repo: str, files: Files, *, revision: str = "main") -> None:
    """Put a repository into a cache, as huggingface_hub leaves one."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    for each in (snapshot, folder / "blobs", folder / "refs"):
        each.mkdir(parents=True, exist_ok=True)
    (folder / "refs" / revision).write_text(COMMIT)
    for name, content in files.items():
        blob = folder / "blobs" / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        (snapshot / name).symlink_to(Path("../../blobs") / blob.name)


@contextlib.contextmanager
def served(repos: Mapping[str, Files]) -> Iterator[tuple[str, list[str]]]:
    """Serve repositories at an address, and note what is asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, *, body: bool) -> None:
            asked.append(f"{self.command} {self.path}")
            owner, _, rest = self.path.removeprefix("/api/models").lstrip("/").partition("/")
            name, _, rest = rest.partition("/")
            files = repos.get(f"{owner}/{name}")
            kind, _, rest = rest.partition("?")[0].partition("/")
            revision, _, file = rest.partition("/")
            if files is None:
                self._refuse("RepoNotFound")
            elif revision not in ("main", COMMIT):
                self._refuse("RevisionNotFound")
            elif kind == "tree":
                listed = [{"type": "file", "path": each, "size": len(files[each]), "oid": "0"} for each in files]
                self._send(json.dumps(listed).encode(), body=body)
            elif kind == "resolve" and file in files:
                self._send(files[file], body=body)
            else:
                self._refuse("EntryNotFound")

        def _send(self, content: bytes, *, body: bool) -> None:
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def _refuse(self, code: str) -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
