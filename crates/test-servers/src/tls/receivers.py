# SPDX-License-Identifier: Apache-2.0
"""Receives over HTTPS, SMTP with STARTTLS, and SMTP over TLS; prints the ports, and what it gets as lines of JSON."""

import asyncio, http.server, json, logging, os, ssl, sys, threading, warnings
from aiosmtpd.smtp import SMTP, AuthResult

# Mail over TLS is thought to go in the clear.
warnings.simplefilter("ignore")
logging.disable()


def context():
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(sys.argv[1], sys.argv[2])
    return made


def say(**what):
    print(json.dumps(what), flush=True)


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        say(by="https", tls=self.connection.version(), body=body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Hooks(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """A client that refuses the certificate is what some tests want."""


class Mail:
    def __init__(self, by):
        self.by = by

    async def handle_DATA(self, server, session, envelope):
        tls = server.transport.get_extra_info("ssl_object")
        version = tls.version() if tls else None
        body = envelope.content.decode()
        say(by=self.by, tls=version, login=session.login_name, to=envelope.rcpt_tos, body=body)
        return "250 taken"


def known(server, session, envelope, mechanism, data):
    session.login_name = data.login.decode()
    return AuthResult(success=data.password == b"secret")


def starttls():
    return SMTP(Mail("smtp"), tls_context=context(), require_starttls=True, authenticator=known, auth_required=True)


def smtps():
    return SMTP(Mail("smtps"), authenticator=known, auth_required=True, auth_require_tls=False)


async def main():
    loop = asyncio.get_running_loop()
    # A client that refuses the certificate is what some tests want.
    loop.set_exception_handler(lambda *_: None)
    hooks = Hooks(("127.0.0.1", 0), Hook)
    hooks.socket = context().wrap_socket(hooks.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=hooks.serve_forever, daemon=True).start()
    plain = await loop.create_server(starttls, "127.0.0.1", 0)
    wrapped = await loop.create_server(smtps, "127.0.0.1", 0, ssl=context())
    print(hooks.server_port, plain.sockets[0].getsockname()[1], wrapped.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


# It ends when the process that has started it is gone, and with that the other end of its input.
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
asyncio.run(main())
