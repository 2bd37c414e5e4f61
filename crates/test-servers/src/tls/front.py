# SPDX-License-Identifier: Apache-2.0
"""Takes connections with TLS, and passes on what they say without it; prints its port."""

import os, socket, ssl, sys, threading

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(sys.argv[1], sys.argv[2])
host, port = sys.argv[3].rsplit(":", 1)


def pass_on(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        """The other direction ends as well when both are closed."""


def serve(plain):
    try:
        with context.wrap_socket(plain, server_side=True) as client, socket.create_connection((host, port)) as server:
            asking = threading.Thread(target=pass_on, args=(client, server), daemon=True)
            asking.start()
            while data := server.recv(65536):
                client.sendall(data)
    except OSError:
        """A client that refuses the certificate is what some tests want."""


# It ends when the process that has started it is gone, and with that the other end of its input.
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
