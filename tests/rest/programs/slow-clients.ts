// Opens COUNT connections to PORT that never end their requests, in a process of its own: each end takes a descriptor.
// Prints {"open"} once they stand, and {"statuses"}, how many were answered with which, once all were cut off.
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";

const [port, count, token] = process.argv.slice(2);
const withToken = `Host: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
const starts = [
  "",
  "GET /v1/conn",
  "POST /v1/apply HTTP/1.1\r\nHost: x\r\nX-A: ",
  "POST /v1/apply HTTP/1.1\r\n",
  `POST /v1/apply HTTP/1.1\r\n${withToken}Content-Length: 100\r\n\r\n{`,
];
const answers: Promise<string>[] = [];
// A machine that is too slow for all of them has as many as it can.
const enough = performance.now() + 40_000;
while (answers.length < Number(count) && performance.now() < enough) {
  // In lots that the server's backlog holds.
  const lot = Array.from({ length: 200 }, async (_, i) => {
    const socket = connect(Number(port), "127.0.0.1").on("error", () => {});
    socket.write(starts[i % starts.length] as string);
    answers.push(text(socket).catch(() => ""));
    await once(socket, "connect");
  });
  await Promise.all(lot);
}
console.log(JSON.stringify({ open: answers.length }));
const statuses = (await Promise.all(answers)).map((answer) => /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? "none");
console.log(
  JSON.stringify({ statuses: Object.fromEntries([...Map.groupBy(statuses, String)].map(([k, v]) => [k, v.length])) }),
);
