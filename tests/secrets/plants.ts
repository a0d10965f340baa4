import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";

/** Secrets that are planted, each with a value of its own, by where they come from. */
export const plants = {
  "a password in a config": `pl4nt-pass"word/1+x`,
  "a header in a config": "pl4nt-header-2b7e",
  "the key of a query parameter, by an environment variable": "pl4nt/query?3=c9&d",
  "a token, by a file": "pl4nt-file-4d0a",
  "a token, by Vault": "pl4nt-vault-5e1b",
  "the password in a URL": "pl4nt-url-6f2c",
  "an OAuth client's secret": "pl4nt-oauth-7a3d",
  "a reference in an enrich step's request": "pl4nt-enrich-8b4e",
  "a password that no check takes": "pl4nt-refused-9c5f",
  "the token for Vault": "pl4nt-root-token-0d6a",
  "a password of a plugin's connector": "pl4nt-plugin-2f8c",
  "a plugin's own secret": "pl4nt-plugin-own-3a9d",
  "a header for the collector": "pl4nt-otlp-1e7b",
} as const;

export type Plant = keyof typeof plants;

/** A secret as it may stand somewhere: what the product's redactor does is not asked. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const aligned = [0, 1, 2].map((pad) => {
    const text = Buffer.concat([Buffer.alloc(pad, 120), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    // The first characters hold bits of the padding, the last ones of what follows.
    return text.slice(pad === 0 ? 0 : pad + 1, -2);
  });
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    JSON.stringify(JSON.stringify(secret)).slice(2, -2),
    encodeURIComponent(secret),
    new URLSearchParams({ s: secret }).toString().slice(2),
    bytes.toString("hex"),
    ...aligned,
    ...aligned.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  ];
}

const forms = Object.entries(plants).flatMap(([plant, secret]) =>
  [...new Set(formsOf(secret))].map((form) => ({ plant, form: Buffer.from(form) })),
);

/** The plants that stand in it, in whatever form, with what is around them. */
export function found(place: string, content: Buffer | string): string[] {
  const bytes = Buffer.from(content);
  return forms.flatMap(({ plant, form }) => {
    const at = bytes.indexOf(form);
    return at < 0 ? [] : [`${place}: ${plant} (…${bytes.subarray(Math.max(0, at - 80), at + 20).toString("latin1")}…)`];
  });
}

/** Every file below a folder, but for those whose path begins with one of `except`. */
export function filesBelow(
  folder: string,
  except: readonly string[],
): { readonly path: string; readonly bytes: Buffer }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const file = join(entry.parentPath, entry.name);
    const path = relative(folder, file);
    if (!entry.isFile() || except.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))) return [];
    try {
      return statSync(file).size === 0 ? [] : [{ path, bytes: readFileSync(file) }];
    } catch {
      return []; // It was removed meanwhile.
    }
  });
}
