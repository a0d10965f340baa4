// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like the holes of template literals
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resolveReferences } from "../../runtime/config/index.ts";
import { referenceResolver } from "./reference-resolver.ts";

let dataDir: string;
let secretsDir: string;
const env = { SLUICE_SECRET_SHOP: "pa${env:SLUICE_SECRET_OTHER}ss", SLUICE_SECRET_EMPTY: "", HOME: "/root" };

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), "sluice refs "));
  secretsDir = path.join(dataDir, "secrets");
  await mkdir(path.join(secretsDir, "crm"), { recursive: true });
  await writeFile(path.join(dataDir, "token"), "outside");
  await mkdir(path.join(dataDir, "secrets-too"));
  await writeFile(path.join(dataDir, "secrets-too", "x"), "outside");
  await writeFile(path.join(secretsDir, "plain"), "s3cret\n");
  await writeFile(path.join(secretsDir, "crlf"), "two\n\r\n");
  await writeFile(path.join(secretsDir, "crm", "key"), "deep");
  await writeFile(path.join(secretsDir, "binary"), Buffer.from([0xff, 0xfe]));
  await writeFile(path.join(secretsDir, "large"), Buffer.alloc(1024 * 1024 + 1, 97));
  await symlink("crm/key", path.join(secretsDir, "link-inside"));
  await symlink("../token", path.join(secretsDir, "link-outside"));
  await symlink("..", path.join(secretsDir, "folder-outside"));
  execFileSync("mkfifo", [path.join(secretsDir, "pipe")]);
});
afterAll(() => rm(dataDir, { recursive: true }));

const resolve = (text: string) => resolveReferences(text, referenceResolver({ env, secretsDir }));

test.each([
  ["${env:SLUICE_SECRET_SHOP}", "pa${env:SLUICE_SECRET_OTHER}ss"],
  ["${env:SLUICE_SECRET_EMPTY}", ""],
  ["${file:plain}", "s3cret"],
  ["${file:crlf}", "two\n"],
  ["${file:crm/key}", "deep"],
  ["${file:./crm/../plain}", "s3cret"],
  ["${file:link-inside}", "deep"],
  ["postgres://etl:${file:plain}@db/${file:crm/key}", "postgres://etl:s3cret@db/deep"],
  ["$${env:HOME} costs $5", "${env:HOME} costs $5"],
])("%s is resolved, and what it gives is not looked through again", async (text, value) => {
  expect(await resolve(text)).toBe(value);
});

test.each([
  ["${env:HOME}", "is refused: only environment variables that begin with SLUICE_SECRET_"],
  ["${env:SLUICE_SECRET_}", "is refused"],
  ["${env:SLUICE_SECRET_GONE}", "resolves to nothing"],
  ["${env:SLUICE_SECRET_constructor}", "resolves to nothing"],
  ["${file:gone}", "resolves to nothing"],
  ["${file:plain/below}", "resolves to nothing"],
  ["${file:../token}", "is refused: only files below"],
  ["${file:crm/../../token}", "is refused: only files below"],
  ["${file:../secrets-too/x}", "is refused: only files below"],
  ["${file:/etc/passwd}", "is refused: only files below"],
  ["${file:link-outside}", "is refused: only files below"],
  ["${file:folder-outside/token}", "is refused: only files below"],
  ["${file:}", "is refused"],
  ["${file:.}", "is refused"],
  ["${file:crm}", "is refused: it is no file"],
  ["${file:pipe}", "is refused: it is no file"],
  ["${file:binary}", "is refused: it is no text in UTF-8"],
  ["${file:large}", "is refused: it is larger than 1048576 bytes"],
  ["${vault:kv/shop#password}", "cannot be resolved: no Vault is configured"],
  ["${vault:kv/shop}", "is refused: it names no PATH#KEY"],
])("%s: an error that names the reference and why", async (reference, why) => {
  const error: unknown = await resolve(`x${reference}y`).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: "VALIDATION_ERROR" });
  expect(String(error)).toContain(`${reference} ${why}`);
});

test("without a secrets folder, a file reference resolves to nothing", async () => {
  const nowhere = referenceResolver({ env, secretsDir: path.join(dataDir, "nowhere") });
  await expect(nowhere("file", "plain")).rejects.toThrow("resolves to nothing");
});
