#!/usr/bin/env node
// Driver for the SuperScalar conformance suite. Node.js 18 or later, standard library only.
// The suite writes one JSON command a line and reads one JSON reply a line, on stdin and stdout, or over TCP when this
// is started with HOST:PORT as argument. A driver does as it is told and never judges. To drive a node of your own,
// rewrite what is marked ADAPT. stdout carries replies and nothing else: log to stderr.
"use strict";
const fs = require("fs"), net = require("net"), os = require("os"), path = require("path");
const { spawn } = require("child_process"), { createInterface } = require("readline");

const KEY = /^0[23][0-9a-f]{64}$/, PEER = /^0[23][0-9a-f]{64}@\S+:\d+$/;
const isAmount = (n) => Number.isSafeInteger(n) && n > 0;
const CHECKS = { // the eight commands; a request whose check is false gets bad-request
  start: (q) => ["lsp", "client"].includes(q.role) && q.network === "regtest",
  stop: (q) => [undefined, true, false].includes(q.restart),
  connect: (q) => PEER.test(q.peer),
  buy: (q) => KEY.test(q.peer) && isAmount(q.amount_sat),
  invoice: (q) => isAmount(q.amount_msat),
  pay: (q) => typeof q.bolt11 === "string" && q.bolt11 !== "",
  leave: (q) => ["cooperative", "unilateral"].includes(q.mode),
  status: () => true,
};
const UNSUPPORTED = ["invoice", "pay", "leave"]; // ADAPT: what your node cannot do

const refused = (code, error) => Object.assign(new Error(error), { refusal: code }); // becomes "ok":false
const parse = (line) => { try { return Object(JSON.parse(line)); } catch { return {}; } }; // {} unless an object

class Node { // ADAPT: how your node is started, told things and ended
  constructor(role, seed) { // seed: this node draws its own keys, yours may derive them from it
    this.role = role;
    this.datadir = fs.mkdtempSync(path.join(os.tmpdir(), "driver-"));
  }
  async up() { // start, wait until it listens, say where; called again for a restart
    const extra = (process.env.SUPERSCALAR_NODE_ARGS || "").split(/\s+/).filter(Boolean);
    const args = ["node", this.role, "--datadir", this.datadir, "--listen", "127.0.0.1:0", "--json", ...extra];
    this.child = spawn(process.env.SUPERSCALAR || "superscalar", args, { stdio: ["pipe", "pipe", "inherit"] });
    this.child.stdin.on("error", () => {}); // what matters is said by gone
    this.gone = new Promise((say) => this.child.on("error", (e) => say(e.message)).on("close", () => say("it ended")));
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    const { event, node_id, address, version } = await this.listen();
    if (event !== "ready") throw refused("failed", "the node did not get ready");
    return { node_id, address, version };
  }
  async ask(cmd, params) { // one control command to the node, one reply
    this.child.stdin.write(JSON.stringify({ id: 1, cmd, ...params }) + "\n");
    const { ok, error, code, ...rest } = await this.listen();
    if (ok === true) return rest;
    throw refused(code || "failed", error || "the node gave no answer");
  }
  async listen() {
    const next = await Promise.race([this.lines.next(), this.gone]);
    if (typeof next === "string") throw refused("failed", "the node is gone: " + next);
    return parse(next.value);
  }
  async down() { // end it and wait for that; harmless when it is down already
    this.child.stdin.end(); // at which it exits
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 3000);
    await this.gone;
    clearTimeout(timer);
  }
}

let node = null, closing = false;
async function drop() { // leave no process and no data behind
  const last = node;
  if (last) await last.down().then(() => fs.rmSync(last.datadir, { recursive: true, force: true }));
  node = null;
}
async function obey(q) {
  const { id, cmd } = q;
  if (!Number.isInteger(id) || typeof cmd !== "string") throw refused("bad-request", "no JSON object with id and cmd");
  if (!Object.keys(CHECKS).includes(cmd)) throw refused("unknown-command", "no such command: " + cmd);
  if (!CHECKS[cmd](q)) throw refused("bad-request", "bad parameters for " + cmd);
  if (UNSUPPORTED.includes(cmd)) throw refused("unsupported", "this driver has no " + cmd);
  if ((cmd === "start") === Boolean(node)) throw refused("failed", node ? "a node runs" : "no node runs");
  if (cmd === "start") return (node = new Node(q.role, q.seed)).up().catch(async (e) => { await drop(); throw e; });
  if (cmd === "stop" && !q.restart) return drop();
  if (cmd === "stop") return node.down().then(() => (closing ? {} : node.up()));
  return node.ask(cmd, { peer: q.peer, amount_sat: q.amount_sat });
}
async function serve(input, output) {
  for (const stream of [input, output]) stream.on("error", quit);
  for await (const line of createInterface({ input, terminal: false })) {
    const q = parse(line), id = Number.isInteger(q.id) ? q.id : null;
    const reply = await obey(q).then((result) => ({ ...result, id, ok: true }), (e) =>
      ({ id, ok: false, code: e.refusal || "failed", error: String(e.message).replace(/\s+/g, " ") }));
    output.write(JSON.stringify(reply) + "\n");
  }
  quit();
}
async function quit(why) { // the input has ended, or SIGTERM, or the suite has hung up
  if (why instanceof Error) console.error("driver: the suite is gone: " + why.message);
  if (closing) return;
  closing = true;
  await drop();
  process.exit(0);
}
process.on("SIGTERM", quit).on("SIGINT", quit);
const [, host, port] = (process.argv[2] || "").match(/(.*):(\d+)$/) || [];
if (port) net.connect(port, host, function () { serve(this, this); }).on("error", quit);
else serve(process.stdin, process.stdout);
