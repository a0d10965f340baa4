/*
 * What nodes of sluice keep in the NATS they work on. A connector reaches none of it, on any server: an address does not
 * tell whether a server is the node's own.
 */

/** All of `sluice`, the nodes' buckets, what commands JetStream (also of a domain) and servers, and answers. */
const subjects =
  "sluice(\\.|$)|\\$KV\\.sluice|\\$(O|SYS)(\\.|$)|_INBOX(\\.|$)|\\$JS\\.((>|\\*)(\\.|$)|([^.]+\\.)?(API|ACK|FC)(\\.|$))";
const streams = "SLUICE_|KV_sluice-|OBJ_sluice-";

/** Of a text in a config or an integration. */
const none = (reserved: string, $comment: string) => ({ pattern: `^(?!${reserved})`, $comment });

export const freeSubject = none(
  subjects,
  "a subject outside sluice.>, _INBOX.> and the servers' own, which nodes work with",
);
export const freeStream = none(streams, "another stream than SLUICE_… and the like, which nodes work with");
/** A stream's name in an integration may be either. */
export const freeName = { allOf: [freeSubject, freeStream] };

const reservedSubject = new RegExp(`^(${subjects})`);
const reservedStream = new RegExp(`^(${streams})`);

/** On which nodes hear by a queue group: there a member that is none of them takes what was meant for them. */
const shared = "sluice.owner.invoke.1".split(".");

/** Whether a subject, with its wildcards, hears what nodes share among them by a queue group. */
export function hearsShared(subject: string): boolean {
  const tokens = subject.split(".");
  const rest = tokens.indexOf(">");
  if (rest === -1 ? tokens.length !== shared.length : rest >= shared.length) return false;
  // What is asked, and of whom, are names of any kind.
  return tokens.every((token, i) => token === "*" || i >= 2 || (rest !== -1 && i >= rest) || token === shared[i]);
}

export const isReservedSubject = (subject: string): boolean => reservedSubject.test(subject);
export const isReservedStream = (stream: string): boolean => reservedStream.test(stream);
