"""nginx.conf files as people have them, made to run here: their ports, hosts, certificates and logs are put on
loopback and into a folder; nginx and usher are given the very same file."""

import contextlib
import gzip
import http.client
import http.server
import json
import os
import re
import shutil
import ssl
import threading
import urllib.parse
import zlib
from pathlib import Path
from types import SimpleNamespace

import harness
import wire

FOLDER = harness.ROOT / "tests" / "nginx"
FILES = sorted(path.stem for path in FOLDER.glob("*.conf"))
LISTEN = re.compile(r"(\blisten\s+(?:\[::\]:)?)(\d+)\b([^;]*;)")
HOSTS = re.compile(r"\b(?:open-webui:8080|host\.docker\.internal:3000|localhost:3000|unused:8080|ollama:11434|searxng:8081|litellm:4000)")

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
MIME_TYPES = Path("/etc/nginx/mime.types")  # Debian's
MODIFIED = 1_700_000_000
TYPED = ["html", "css", "js", "json", "png", "svg", "ico", "woff2", "webp", "mp4", "wasm", "pdf", "txt", "xml", "PNG", "none", "7z"]
# The files in /var/www.
WWW = [
    "index.html",
    "files/page.html",
    "files/index.html",
    "tried/page.html",
    "robots.txt",
    ".well-known/acme-challenge/x",
    "spa/index.html",
    "spa/about.html",
    "spa/assets/app.js",
    "spa/pretty/about.html",
    "spa/pretty/folder/index.html",
    "spa/app/there.own",
    "spa/a b/index.html",
    "spa/raw/page.html",
    "spa/absolute/x",
    "site/page.html",
    *(f"types/file.{ending}" for ending in TYPED),
]

# Of "secret", as htpasswd and `openssl passwd` make them: what auth_basic_user_file names as "passwords".
PASSWORDS = {
    "plain": "{PLAIN}secret:a comment",
    "sha": "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "ssha": "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0",
    "apr1": "$apr1$x$12YdXEY0/hH4rDNkmZupO0",
    "bcrypt": "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
    "yescrypt": "$y$j75$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01",
}


def have_nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


class Echo:
    """A replica that answers with what it was told; X-Body of a request asks for so many bytes instead, X-Answer
    ("Name: value", more than one) for headers, an empty value for none of that name."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, *_):
            pass

        def parameters(self, name: str) -> list[str]:
            # A path may have been put before what the client asked for, never into its query.
            query = urllib.parse.urlsplit(self.path).query
            return urllib.parse.parse_qs(query).get(name, [])

        def parameter(self, name: str) -> str:
            return "".join(self.parameters(name)[:1])

        def answer(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            target = self.path.split("?")[0]
            asked = re.search(r"/status/(\d+)", target)
            told = {"method": self.command, "target": self.path, "headers": self.headers.items(), "body": len(body)}
            text = json.dumps(told).encode()
            if bytes_asked := self.headers.get("X-Body"):
                text = (b"some words " * (int(bytes_asked) // 10 + 1))[: int(bytes_asked)]
            fields = {"Content-Type": "application/json", "Content-Length": str(len(text)), "X-Replica": "echo", "Cache-Control": "private"}
            for wanted in self.headers.get_all("X-Answer", []):
                name, _, value = wanted.partition(":")
                fields[name] = value.strip()
            chunked = "Transfer-Encoding" in fields
            if chunked:
                del fields["Content-Length"]
            self.send_response(int(asked.group(1)) if asked else 200)
            for name, value in fields.items():
                if value:
                    self.send_header(name, value)
            if self.close_connection:
                # nginx would keep a connection whose end it asked for itself, and lose the next POST in it.
                self.send_header("Connection", "close")
            if asked and asked.group(1).startswith("3"):
                self.send_header("Location", self.parameter("to") or "/elsewhere")
            if refresh := self.parameter("refresh"):
                self.send_header("Refresh", refresh)
            for cookie in self.parameters("cookie"):
                self.send_header("Set-Cookie", cookie)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text) if chunked else text)

        do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = do_OPTIONS = answer

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Rendered:
    """One file, ready to run: `ports` are those of the file, each with the one that stands for it."""

    def __init__(self, name: str, folder: Path, replica: str, chain: Path, key: Path):
        text = (FOLDER / f"{name}.conf").read_text()
        self.name, self.folder, self.ports, self.tls = name, folder, {}, set()
        self.replica = replica

        def port(match):
            number = int(match.group(2))
            # One port of IPv6's wildcard would take that of IPv4 from the next server on this machine.
            self.ports.setdefault(number, harness.free_port())
            if " ssl" in match.group(3):
                self.tls.add(number)
            if "[::]" in match.group(1):
                return ""
            return f"{match.group(1)}127.0.0.1:{self.ports[number]}{match.group(3)}"

        text = LISTEN.sub(port, text)
        text = self.with_replica(text)
        text = re.sub(r"(ssl_certificate)\s+[^;]+;", rf"\1 {chain};", text)
        text = re.sub(r"(ssl_certificate_key)\s+[^;]+;", rf"\1 {key};", text)
        text = text.replace("/var/log/nginx", str(folder)).replace("/var/run/nginx.pid", str(folder / "pid"))
        text = re.sub(r"^user [^;]+;", "", text)
        text = re.sub(r"\bhttp2 on;", "", text)  # Debian's nginx is older than that directive
        www = folder / "www"
        for file in WWW:
            (www / file).parent.mkdir(parents=True, exist_ok=True)
            (www / file).write_text(f"<p>{file}</p>\n")
            os.utime(www / file, (MODIFIED, MODIFIED))
        (www / "spa/empty").mkdir()
        (www / "spa/link.html").symlink_to("about.html")
        (www / "spa/linked").symlink_to("pretty")
        text = text.replace("/var/www", str(www))
        temporary = "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy"))
        (folder / "passwords").write_text("".join(f"{name}:{kept}\n" for name, kept in PASSWORDS.items()))
        (folder / "mime.types").write_text(MIME_TYPES.read_text() if MIME_TYPES.exists() else "types { text/html html; }\n")
        text = text.replace("/etc/nginx/mime.types", "mime.types")
        head, whole = text, re.search(r"\bhttp \{", text)
        if whole:
            head = text[: whole.end()] + "\n" + temporary + text[whole.end() :]
        else:
            head = f"events {{}}\nhttp {{\n    access_log off;\n{temporary}{text}\n}}\n"
        self.path = folder / f"{name}.conf"
        self.path.write_text(head)
        for kind in ("fastcgi", "uwsgi", "scgi"):
            (folder / kind).mkdir(exist_ok=True)
        self.text = text

    def with_replica(self, text: str) -> str:
        """With the address of the replica that answers here, where the text names one of those that people have."""
        return HOSTS.sub(self.replica, text)

    def as_in_the_file(self, answer):
        """With the ports of the file where the answer names those that stand for them."""
        if answer is None:
            return None

        def back(text: str) -> str:
            for number, port in self.ports.items():
                text = re.sub(rf"\b{port}\b", str(number), text)
            return text

        status, headers, body = answer
        return status, [(name, back(value)) for name, value in headers], back(body.decode("latin-1")).encode("latin-1")

    def names(self) -> list[str]:
        """The names of its servers, one of each pattern's, and one of nobody's."""
        names = ["stranger.invalid"]
        for line in re.findall(r"(?<!\$)server_name ([^;]+);", self.text):
            for name in line.split():
                name = name.strip('"')
                if name in ("_", "") or name.startswith("~"):
                    continue
                names.append(name.replace("*", "any") if "*" in name else name.lstrip("."))
        if "~^" in self.text:
            names += ["joe.users.example.org", "www.shop.example.com", "blog.example.com"]
        return list(dict.fromkeys(names))


class Nginx(harness.Child):
    """Debian's nginx with one file."""

    def __init__(self, rendered: Rendered, port_of=None):
        super().__init__("nginx", rendered.folder)
        self.rendered = rendered

    def start(self):
        command = [have_nginx(), "-c", self.rendered.path, "-p", self.folder, "-e", "stderr"]
        more = "daemon off; master_process off;"
        if "pid " not in self.rendered.path.read_text().split("http {")[0]:
            more += f" pid {self.folder}/pid;"
        self.spawn([*command, "-g", more])
        return self


@contextlib.contextmanager
def both(house, tmp_path, text: str):
    """nginx and usher with that http block, where PORT stands for a port of each and FOLDER for a folder: their ports.
    The folders are tmp_path / "nginx" and tmp_path / "usher"."""
    ports = []
    with contextlib.ExitStack() as running:
        for name in ("nginx", "usher"):
            folder = tmp_path / name
            folder.mkdir()
            for kind in TEMPORARY:
                (folder / kind).mkdir()
            ports.append(harness.free_port())
            temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in TEMPORARY[:2])
            path = folder / "nginx.conf"
            path.write_text(f"events {{}}\nhttp {{\n{temporary} access_log off;\n{text.replace('PORT', str(ports[-1])).replace('FOLDER', str(folder))}\n}}\n")
            if name == "nginx":
                nginx = Nginx(SimpleNamespace(folder=folder, path=path))
                running.enter_context(nginx.start())
                harness.wait_for(lambda: wire_answers(ports[0]) or not nginx.running, "nginx")
                assert nginx.running, nginx.stderr
            else:
                running.enter_context(house.usher(settings=None, args=["-c", path], env={"USHER_ADMIN": "127.0.0.1:0"}))
        yield ports


def wire_answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        wire.Wire(f"http://127.0.0.1:{port}").close()
        return True
    return False


def source_of(host: str, target: str, headers) -> str:
    """For each password an address of its own: usher lets one that guesses wait."""
    if not any(name.lower() == "authorization" for name, _ in headers):
        return "127.0.0.1"
    number = zlib.crc32(repr((host, target, headers)).encode())
    return f"127.{number % 251 + 1}.{number // 251 % 256}.1"


class Client:
    """Asks the same of two servers; each keeps its connections. Apart: requests with passwords come from other addresses than the rest."""

    def __init__(self, apart: bool = False):
        self.apart = apart
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.open: dict = {}

    def ask(self, port: int, tls: bool, host: str, method: str, target: str, headers=(), body: bytes = b""):
        """(status, headers, body without gzip), or None when the server closed without an answer."""
        source = source_of(host, target, headers) if self.apart else "127.0.0.1"
        fresh = (port, source) not in self.open
        if fresh:
            timeout = 10 * harness.patience()
            kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
            more = {"context": self.context} if tls else {}
            self.open[port, source] = kind("127.0.0.1", port, timeout=timeout, source_address=(source, 0), **more)
        connection = self.open[port, source]
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host)
            for name, value in headers:
                connection.putheader(name, value)
            if body:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            text = answer.read()
            if answer.getheader("Content-Encoding") == "gzip" and text:
                text = gzip.decompress(text)
            return answer.status, [(name.lower(), value) for name, value in answer.getheaders()], text
        except (http.client.BadStatusLine, ConnectionError):
            self.open.pop((port, source)).close()
            # nginx ends a connection after a 412, and does not say so.
            return None if fresh or method != "GET" else self.ask(port, tls, host, method, target, headers, body)

    def close(self):
        for connection in self.open.values():
            connection.close()
