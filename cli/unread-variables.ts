import { nearest } from "../runtime/errors/index.ts";
import { variables } from "./variables.ts";

const prefix = "SLUICE_";
const known: readonly string[] = Object.values(variables).flatMap((group) => Object.keys(group.variables));
/** Names of the user's own, and of the project's tests. */
const free = /^SLUICE_(SECRET|PLUGIN|TEST)_/;

/** A sentence for each variable whose name says that it is for sluice and that nothing reads: most likely misspelt. */
export function unreadVariables(env: NodeJS.ProcessEnv): string[] {
  const ours = known.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  return Object.keys(env)
    .filter((name) => name.startsWith(prefix) && !known.includes(name) && !free.test(name))
    .map((name) => {
      const near = nearest(name.slice(prefix.length), ours);
      return `nothing reads ${name}${near === undefined ? "" : `; did you mean ${prefix}${near}?`}`;
    });
}
