import { readdir, readFile } from "node:fs/promises";

const folder = new URL("../../docs/connectors/certification/", import.meta.url);

interface Certified {
  readonly type: string;
  readonly version: string;
  readonly date: string;
  readonly checks: Readonly<Record<string, Checked>>;
}

interface Checked {
  readonly status: "passed" | "failed" | "skipped";
  readonly reason?: string;
  readonly figures?: Readonly<Record<string, number>>;
}

const examples: Readonly<Record<string, string>> = {
  bolt: "example in Go",
  "shop-api": "example in TypeScript",
  sqlite: "example in Python",
};

/** docs/connectors/certification.md, of the reports that the tests keep beside it. */
export async function certificationPage(): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json") && name !== "flaws.json").sort();
  const all = await Promise.all(names.map(async (name) => (await read(name)) as Certified));
  const flaws = (await read("flaws.json")) as Readonly<Record<string, string>>;
  return [
    "# Certification",
    "",
    "What `sluice plugin certify` said of each built-in type, served as a plugin as anybody's is, and of the example plugins ([plugins-authoring.md](../plugins-authoring.md)). ✓ passed, – did not apply. `tests/plugin/certify.test.ts` and `examples.test.ts` try them again in every `npm run verify`, and compare with this; `SLUICE_CERTIFY=write npx vitest run tests/plugin && npm run docs` makes it anew.",
    "",
    ...table(["", ...all.map(headOf)], rowsOf(all)),
    "",
    "## Figures",
    "With 20 records to 25 and the far side on the same machine, which others used meanwhile: what reading and writing took of memory is of interest here, not the rate (bench/README.md has those).",
    "",
    ...table(
      [
        "Type",
        "Read: records",
        "MB, grown by",
        "Written: records",
        "MB, grown by",
        "Killed in reading",
        "Asked to end: s",
      ],
      all.map(figuresOf),
    ),
    "",
    "## Why a check did not apply",
    ...all.flatMap(({ type, checks }) => {
      const reasons = new Map<string, string[]>();
      for (const [id, { status, reason = "" }] of Object.entries(checks)) {
        if (status === "skipped") reasons.set(reason, [...(reasons.get(reason) ?? []), id]);
      }
      const all = [...reasons].map(([reason, ids]) => `${ids.join(", ")}: ${reason}`);
      return all.length === 0 ? [] : [`- **${type}** ${all.join("; ")}.`];
    }),
    "",
    "## Plugins that fail",
    "Each of these plugins has one flaw, and fails the check that is there for it (`tests/plugin/flaws.test.ts`).",
    "",
    ...table(
      ["A plugin with", "Fails"],
      Object.entries(flaws).map(([flaw, id]) => [flaw, `\`${id}\``]),
    ),
    "",
  ].join("\n");
}

async function read(name: string): Promise<unknown> {
  return JSON.parse(await readFile(new URL(name, folder), "utf8"));
}

function headOf({ type, version, date }: Certified): string {
  const what = examples[type] === undefined ? "" : `, ${examples[type]}`;
  return `${type} ${version}${what} (${date})`;
}

/** Modes of writing share a row. */
function rowsOf(all: readonly Certified[]): string[][] {
  const general = (id: string) => id.replace(/^write\.\w+\./, "write.");
  const ids = [...new Set(all.flatMap(({ checks }) => Object.keys(checks).map(general)))];
  return ids.map((id) => [
    `\`${id}\``,
    ...all.map(({ checks }) => {
      const found = Object.entries(checks).flatMap(([own, { status }]) => (general(own) === id ? [status] : []));
      if (found.includes("failed")) return "FAILED";
      return found.includes("passed") ? "✓" : "–";
    }),
  ]);
}

function figuresOf({ type, checks }: Certified): string[] {
  const of = (id: string) => checks[id]?.figures ?? {};
  const write = Object.keys(checks).find((id) => /^write\.\w+\.memory$/.test(id) && checks[id]?.status === "passed");
  const memory = ({ memory_mb, growth_mb }: Readonly<Record<string, number>>) =>
    memory_mb === undefined ? "–" : `${memory_mb}, ${growth_mb}`;
  const [reading, writing] = [of("read.memory"), of(write ?? "")];
  const cells = [type, reading.records, memory(reading), writing.records, memory(writing)];
  return [...cells, of("read.kill").kills, of("stop.prompt").seconds].map((cell) => String(cell ?? "–"));
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}
