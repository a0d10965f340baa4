import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./command.ts";

const ALLOWED = new Set(
  "0BSD Apache-2.0 BlueOak-1.0.0 BSD BSD-2-Clause BSD-3-Clause CC0-1.0 CC-BY-3.0 CC-BY-4.0 ISC MIT MIT-0 Python-2.0 Unlicense WTFPL Zlib".split(
    " ",
  ),
);

/** Used while developing only, never shipped, and not linked into anything: by name and licence. */
const ALLOWED_TOOLS = new Map([
  ["lightningcss", "MPL-2.0"],
  ["axe-core", "MPL-2.0"],
]);

/** Old packages give an object, or a list to choose from, where there should be an SPDX expression. */
type License = string | { readonly type: string } | readonly { readonly type: string }[];

interface LockEntry {
  readonly license?: License;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
}

/** Every dependency, direct or not and for every platform, whose licence is not one that we accept. */
export function refusedLicenses(): string[] {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, LockEntry>;
  };
  return Object.entries(lock.packages).flatMap(([path, entry]) => {
    if (path === "") return [];
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    const license = entry.license === undefined ? installedLicense(path) : expressionOf(entry.license);
    if (isAccepted(license)) return [];
    const tool = [...ALLOWED_TOOLS].some(([tool, allowed]) => name.startsWith(tool) && license === allowed);
    return tool && (entry.dev || entry.devOptional) ? [] : [`${name}: ${license ?? "no licence given"}`];
  });
}

/** Of an SPDX expression: one of its alternatives, all of its parts. */
export function isAccepted(license: string | undefined): boolean {
  if (license === undefined) return false;
  const alternatives = license.replace(/[()]/g, "").split(/\s+OR\s+/i);
  return alternatives.some((terms) => terms.split(/\s+AND\s+/i).every((term) => ALLOWED.has(term.trim())));
}

function expressionOf(license: License): string {
  if (typeof license === "string") return license;
  return "type" in license ? license.type : license.map(({ type }) => type).join(" OR ");
}

/** Where the lock file leaves it out. */
function installedLicense(path: string): string | undefined {
  const file = join(root, path, "package.json");
  if (!existsSync(file)) return undefined;
  const { license, licenses } = JSON.parse(readFileSync(file, "utf8")) as { license?: License; licenses?: License };
  const given = license ?? licenses;
  return given && expressionOf(given);
}
