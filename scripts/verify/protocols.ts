import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Outcome, root, run } from "./command.ts";

const folder = join(root, "proto");
/** The protocols as the last release has them: what plugins out there were built with. docs/decisions/0021. */
const released = "released/v1.binpb";
const goStubs = join(root, "templates/plugin/go/gen");

/**
 * The .proto files keep buf's rules, break nothing that was released, and what is generated of them is what they say.
 * `protos`: another folder than the project's.
 */
export async function checkProtocols(protos = folder): Promise<Outcome> {
  const buf = (...args: string[]) =>
    run(process.execPath, [join(root, "node_modules/@bufbuild/buf/bin/buf"), ...args], protos);
  const linted = await buf("lint");
  if (linted.code !== 0) return linted;
  const unbroken = await buf("breaking", "--against", join(folder, released));
  if (unbroken.code !== 0) return unbroken;
  const made = mkdtempSync(join(tmpdir(), "sluice-proto-"));
  try {
    const typescript = await buf("generate", "--output", made);
    if (typescript.code !== 0) return typescript;
    const stale = difference(join(folder, "gen"), join(made, "gen"), ".ts");
    if (stale.length > 0) return outdated(stale, "npx buf generate");
    const template = ["--template", "buf.gen.go.yaml", "--path", "sluice/connector", "--path", "sluice/record"];
    const go = await buf("generate", ...template, "--output", join(made, "go"));
    if (go.code !== 0) return go;
    const staleGo = difference(goStubs, join(made, "go", "gen"), ".go");
    if (staleGo.length > 0)
      return outdated(staleGo, `npx buf generate ${template.join(" ")} -o ../templates/plugin/go`);
    return { code: 0, output: "" };
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

function difference(there: string, made: string, ending: string): string[] {
  const [before, after] = [textsIn(there, ending), textsIn(made, ending)];
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names.filter((name) => before.get(name) !== after.get(name));
}

function outdated(names: readonly string[], command: string): Outcome {
  return { code: 1, output: `${names.join(", ")}: not as the .proto files have it. cd proto && ${command}\n` };
}

function textsIn(path: string, ending: string): Map<string, string> {
  const names = readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(ending));
  return new Map(names.map((name) => [name, readFileSync(join(path, name), "utf8")]));
}
