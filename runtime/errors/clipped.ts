/** What is kept of a message from outside: it stays with each attempt, each dead letter and in each list of them. */
const most = 1_000;

/** A message of a connector's, or its beginning and "…"; no character is cut in half. */
export function clipped(message: string): string {
  return message.length > most ? `${message.slice(0, most).replace(/[\ud800-\udbff]$/, "")}…` : message;
}
