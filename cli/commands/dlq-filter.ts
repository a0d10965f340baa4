import type { Arguments, Syntax } from "../arguments.ts";

/** Options that choose dead letters, and what the API calls them. */
export const filterOptions: Syntax["options"] = {
  code: { type: "string", value: "CODE", help: "Only those of this code." },
  step: { type: "string", value: "ID", help: "Only those that this step refused." },
  destination: { type: "string", value: "ID", help: "Only those that this destination refused." },
  run: { type: "string", value: "ID", help: "Only those of this run." },
  fingerprint: { type: "string", value: "HASH", help: "Only those that failed alike." },
  since: { type: "string", value: "TIME", help: "Only those tried last at this time (RFC 3339) or later." },
  until: { type: "string", value: "TIME", help: "Only those tried last at this time or earlier." },
};

export function filterGiven(args: Arguments): Record<string, string> {
  const given = Object.keys(filterOptions).flatMap((name) => {
    const value = args.string(name);
    return value === undefined ? [] : [[name === "run" ? "run_id" : name, value]];
  });
  return Object.fromEntries(given);
}
