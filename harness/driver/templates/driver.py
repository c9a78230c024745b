#!/usr/bin/env python3
"""Driver for the SuperScalar conformance suite. Python 3.8 or later, standard library only.

The suite writes one JSON command a line and reads one JSON reply a line, on stdin and stdout, or over TCP when this is
started with HOST:PORT as argument. A driver does as it is told and never judges. To drive a node of your own, rewrite
what is marked ADAPT. stdout carries replies and nothing else: log to stderr."""
import json, os, re, shutil, signal, socket, subprocess, sys, tempfile

KEY = "0[23][0-9a-f]{64}"
CHECKS = {  # the eight commands; a request whose check is false gets bad-request
    "start": lambda q: q.get("role") in ("lsp", "client") and q.get("network") == "regtest",
    "stop": lambda q: type(q.get("restart", False)) is bool,
    "connect": lambda q: re.fullmatch(KEY + r"@\S+:\d+", str(q.get("peer"))),
    "buy": lambda q: re.fullmatch(KEY, str(q.get("peer"))) and type(q.get("amount_sat")) is int and q["amount_sat"] > 0,
    "invoice": lambda q: type(q.get("amount_msat")) is int and q["amount_msat"] > 0,
    "pay": lambda q: type(q.get("bolt11")) is str and q["bolt11"],
    "leave": lambda q: q.get("mode") in ("cooperative", "unilateral"),
    "status": lambda q: True}
UNSUPPORTED = ("invoice", "pay", "leave")  # ADAPT: what your node cannot do

class Refused(Exception): """Refused(code, sentence) becomes a reply with "ok":false."""

def parse(line):  # anything but a JSON object becomes an empty one
    try: return dict(json.loads(line))
    except (ValueError, TypeError): return {}

class Node:  # ADAPT: how your node is started, told things and ended
    def __init__(self, role, seed):  # seed: this node draws its own keys, yours may derive them from it
        self.role, self.datadir, self.process = role, tempfile.mkdtemp(prefix="driver-"), None

    def up(self):  # start, wait until it listens, say where; called again for a restart
        argv = [os.environ.get("SUPERSCALAR", "superscalar"), "node", self.role, "--datadir", self.datadir, "--listen",
                "127.0.0.1:0", "--json", *os.environ.get("SUPERSCALAR_NODE_ARGS", "").split()]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready = parse(self.process.stdout.readline())
        if ready.get("event") != "ready": raise Refused("failed", "the node did not get ready: %s" % ready)
        return {k: ready.get(k) for k in ("node_id", "address", "version")}

    def ask(self, cmd, **params):  # one control command to the node, one reply
        self.process.stdin.write(json.dumps({"id": 1, "cmd": cmd, **params}).encode() + b"\n")
        self.process.stdin.flush()
        reply = parse(self.process.stdout.readline())
        if reply.pop("ok", False) is True: return reply
        raise Refused(reply.get("code", "failed"), str(reply.get("error") or "the node gave no answer"))

    def down(self):  # end it and wait for that; harmless when it is down already
        if not self.process: return
        try: self.process.communicate(timeout=3)  # closes its stdin, at which it exits
        except (subprocess.TimeoutExpired, OSError, ValueError): self.process.kill()
        self.process.wait()

class Driver:
    node, closing = None, False

    def obey(self, q):
        cmd = q.get("cmd")
        if type(q.get("id")) is not int or type(cmd) is not str:
            raise Refused("bad-request", "not a JSON object with id and cmd")
        if cmd not in CHECKS: raise Refused("unknown-command", "no such command: %r" % cmd)
        if not CHECKS[cmd](q): raise Refused("bad-request", "bad parameters for " + cmd)
        if cmd in UNSUPPORTED: raise Refused("unsupported", "this driver has no " + cmd)
        if (cmd == "start") == bool(self.node): raise Refused("failed", "a node runs" if self.node else "no node runs")
        if cmd == "start":
            self.node = Node(q["role"], q.get("seed"))
            try: return self.node.up()
            except Exception: self.drop(); raise
        if cmd == "stop" and not q.get("restart"): return self.drop()
        if cmd == "stop": self.node.down(); return self.node.up()
        return self.node.ask(cmd, **{k: q[k] for k in ("peer", "amount_sat") if k in q})

    def drop(self):  # leave no process and no data behind
        if self.node: self.node.down(); shutil.rmtree(self.node.datadir, ignore_errors=True)
        self.node = None; return {}

    def serve(self, lines, out):
        for line in lines:
            q = parse(line)
            try: reply = {"ok": True, **self.obey(q)}
            except Refused as e: reply = dict(ok=False, code=e.args[0], error=" ".join(e.args[1].split()))
            except (OSError, ValueError) as e: reply = dict(ok=False, code="failed", error="no way to the node: %s" % e)
            reply["id"] = q.get("id") if type(q.get("id")) is int else None
            out.write(json.dumps(reply).encode() + b"\n")
            out.flush()

    def run(self, address=None):
        try:
            lines, out = sys.stdin.buffer, sys.stdout.buffer
            if address: lines = out = socket.create_connection(address.rsplit(":", 1)).makefile("rwb")
            self.serve(lines, out)
            self.closing = True
        except OSError as e: self.closing = True; print("driver: the suite is gone:", e, file=sys.stderr)
        finally: self.drop()

    def quit(self, *_):  # on SIGTERM: leave serve(), but never interrupt the cleaning up
        if not self.closing: self.closing = True; sys.exit(0)

driver = Driver()
signal.signal(signal.SIGTERM, driver.quit)
signal.signal(signal.SIGINT, driver.quit)
driver.run(*sys.argv[1:2])
