// Starts a program that nothing ends, as a node would, and says its process id.
import { startGuarded } from "../../../adapters/plugin/guard.ts";

const line = "trap '' TERM HUP; sleep 1000 & echo $! >&2; while :; do sleep 1; done";
const { pid, stderr } = await new Promise<{ pid: number; stderr: string }>((resolve) => {
  const guarded = startGuarded({ command: ["/bin/sh", "-c", line], env: { PATH: process.env.PATH } });
  guarded.stderr.once("data", (text: Buffer) => resolve({ pid: guarded.pid as number, stderr: text.toString() }));
});
console.log(`${pid} ${Number(stderr)}`);
setInterval(() => {}, 1_000);
