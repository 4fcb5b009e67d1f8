"""An endpoint that hands each request on after a while, for an AWS service that is slow."""

import http.client
import http.server
import threading
import time
import urllib.parse


class Slow:
    """Answers at `endpoint` what `behind` answers, `seconds` later."""

    def __init__(self, behind, seconds):
        place, slow = urllib.parse.urlsplit(behind), self
        self.seconds, self.count = seconds, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                slow.count += 1
                time.sleep(slow.seconds)
                # The Host header stays as it is: the signature covers it.
                connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
                connection.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() != "connection":
                        connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                data = answer.read()
                connection.close()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.request_queue_size = 1024
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
