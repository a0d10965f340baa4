// Starts a program that nothing ends, as a node would, and says its process id.
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { startGuarded } from "../../../adapters/plugin/guard.ts";

const line = "trap '' TERM HUP; sleep 1000 & echo $! >&2; while :; do sleep 1; done";
const guarded = startGuarded({ command: ["/bin/sh", "-c", line], env: { PATH: process.env.PATH } });
const [text] = (await once(guarded.stderr, "data")) as [Buffer];
// The shell says which one it is on another pipe.
while (guarded.pid === undefined) await delay(10);
console.log(`${guarded.pid} ${Number(text)}`);
setInterval(() => {}, 1_000);
