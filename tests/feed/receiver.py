"""Receivers of webhooks on this machine: well, down, slow, failing, redirecting, talking without end."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """What was received, and how it is answered: a status, or a name of a bad habit."""

    def __init__(self):
        self.answers = 204
        self.got = []
        self.headers = []
        self.raw = []
        self.url = ""
        self.slow_seconds = 3.0
        self.released = threading.Event()  # a slow one answers at once

    @property
    def versions(self):
        return [event["data"]["version"] for event in self.got]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        answer = self.receiver.answers(body) if callable(self.receiver.answers) else self.receiver.answers
        self.receiver.raw.append(body)
        self.receiver.headers.append(dict(self.headers))
        if isinstance(answer, int):
            if 200 <= answer < 300:
                self.receiver.got.append(json.loads(body))
            self._say(answer)
        else:
            getattr(self, f"_{answer}")()

    def _say(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        if status in {301, 302, 307, 308}:
            self.send_header("location", self.receiver.url + "elsewhere")
        self.end_headers()

    def _slow(self):
        self.receiver.released.wait(self.receiver.slow_seconds)
        self.close_connection = True

    def _dripping(self):
        self.close_connection = True
        try:
            for _ in range(60):
                self.wfile.write(b"H")
                time.sleep(0.1)
        except OSError:
            return

    def _endless(self):
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        try:
            for _ in range(10_000):
                self.wfile.write(b"x" * 65_536)
        except OSError:
            self.receiver.got.append({"data": {"version": "cut off"}})

    def _nonsense(self):
        self.close_connection = True
        self.wfile.write(b"\x00\x01\x02 nothing\r\n\r\n")

    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


@contextmanager
def receiving(port=0):
    receiver = Receiver()
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"receiver": receiver}))
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
