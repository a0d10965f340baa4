import child from "node:child_process";
import dgram from "node:dgram";
import fs from "node:fs";
import net from "node:net";
import { Worker } from "node:worker_threads";
import { seal } from "../seal.ts";

// Stands for user's code that has broken out of its isolate: it has all that the sandbox's process has. Prints what
// each attempt came to.
seal();

const attempts: { readonly [name: string]: () => unknown } = {
  "read a file": () => fs.readFileSync("/etc/hosts"),
  "list a folder": () => fs.readdirSync("/"),
  "write a file": () => fs.writeFileSync("/tmp/sluice-hostile", "x"),
  "write into its own folder": () => fs.writeFileSync(`${import.meta.dirname}/x`, "x"),
  "start a program": () => child.spawnSync("/bin/true").error ?? "started",
  "start a thread": () => new Worker("", { eval: true }),
  connect: () => net.connect(80, "127.0.0.1"),
  "connect by a socket": () => new net.Socket().connect(80, "127.0.0.1"),
  "connect by the standard input": () =>
    (process.stdin.constructor as typeof net.Socket).prototype.connect.call(process.stdin, "/tmp/x.sock"),
  listen: () => net.createServer(),
  "send a datagram": () => dgram.createSocket("udp4"),
  "get a module": () => process.getBuiltinModule("http"),
  "get a binding": () => (process as unknown as { binding(name: string): unknown }).binding("tcp_wrap"),
  "load native code": () => process.dlopen({ exports: {} }, "/tmp/x.node"),
};

const outcomes: Record<string, string> = {};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    const gave = attempt();
    outcomes[name] = gave instanceof Error ? gave.message : "done";
  } catch (error) {
    outcomes[name] = (error as Error).message;
  }
}
for (const name of ["node:http", "node:tls", "./seal.ts"]) {
  outcomes[`import ${name}`] = await import(name).then(
    () => "done",
    (error: Error) => error.message,
  );
}
outcomes["the environment"] = Object.keys(process.env).length === 0 ? "empty" : "done";
fs.writeSync(1, JSON.stringify(outcomes));
