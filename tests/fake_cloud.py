"""A cloud on loopback: Cloud Storage (gcp-storage-emulator) and Dataflow's API v1b3."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BUCKET = "bucket"
JOB_ID = "2026-01-01_00_00_00-1"


class FakeCloud:
    """What the tests ask of it.

    Attributes:
      endpoint: of the Dataflow API.
      environment: variables for a process that is to use it.
      jobs: what was sent to create a job, in order.
      job_states: of a job when it is created, and later.
    """

    def __init__(self, endpoint: str, environment: dict[str, str]) -> None:
        self.endpoint = endpoint
        self.environment = environment
        self.jobs: list[dict[str, Any]] = []
        self.job_states = ("JOB_STATE_DONE", "JOB_STATE_DONE")
        self._bucket: Any = None

    def bucket(self) -> Any:
        """Cloud Storage's own client, to look from outside at what the code under test did."""
        if self._bucket is None:
            from google.auth.credentials import AnonymousCredentials
            from google.cloud import storage

            options = {"api_endpoint": self.environment["STORAGE_EMULATOR_HOST"]}
            client = storage.Client("p", AnonymousCredentials(), client_options=options)
            self._bucket = client.bucket(BUCKET)
        return self._bucket

    def upload(self, name: str, data: bytes) -> str:
        """Write an object; gives its address."""
        self.bucket().blob(name).upload_from_string(data)
        return f"gs://{BUCKET}/{name}"

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Objects under a prefix: the rest of their name -> content."""
        blobs = self.bucket().list_blobs(prefix=prefix)
        return {blob.name.removeprefix(prefix): blob.download_as_bytes() for blob in blobs}


@contextmanager
def run_fake_cloud() -> Iterator[FakeCloud]:
    """Start it on free ports, with one empty bucket."""
    from gcp_storage_emulator.server import create_server

    logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
    storage = create_server("localhost", 0, in_memory=True, default_bucket=BUCKET)
    storage.start()
    api = ThreadingHTTPServer(("localhost", 0), _Api)
    thread = threading.Thread(target=api.serve_forever, daemon=True)
    thread.start()
    endpoint = f"http://localhost:{api.server_port}"
    environment = {
        "STORAGE_EMULATOR_HOST": f"http://localhost:{storage._api._httpd.server_port}",
        "NO_GCE_CHECK": "true",  # or Google's library asks the network whether this is its cloud
    }
    cloud = FakeCloud(endpoint, environment)
    api.cloud = cloud
    try:
        yield cloud
    finally:
        api.shutdown()
        thread.join()
        api.server_close()
        storage.stop()


class _Api(BaseHTTPRequestHandler):
    @property
    def _cloud(self) -> FakeCloud:
        return self.server.cloud

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.split("?")[0]
        if path.endswith("/jobs"):
            self._cloud.jobs.append(json.loads(body))
            self._answer(self._job(self._cloud.job_states[0]))
        else:
            self.send_error(404)

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.endswith("/messages"):
            message = {"messageImportance": "JOB_MESSAGE_ERROR", "messageText": "a worker failed"}
            self._answer({"jobMessages": [{"time": "2026-01-01T00:00:00Z", **message}]})
        elif path.endswith(f"/jobs/{JOB_ID}"):
            self._answer(self._job(self._cloud.job_states[1]))
        else:
            self.send_error(404)

    def _job(self, state: str) -> dict[str, str]:
        return {"id": JOB_ID, "projectId": "p", "location": "r", "currentState": state}

    def _answer(self, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
