import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { venvFor } from "../support/python.ts";
import { tempDir } from "../support/temp-dir.ts";
import { fileConnector, integration, startApi } from "./support.ts";

const requirements = fileURLToPath(new URL("requirements.txt", import.meta.url));

/** What the OpenAPI cannot say, such as that a connector of that name exists, is refused with 400, too. */
const leftOut = "positive_data_acceptance";

test("a program that reads the OpenAPI and tries everything finds no 500 and nothing that is not documented", async () => {
  const api = await startApi();
  const { body: connector } = await api.call("POST", "/v1/connectors", fileConnector(api));
  const { body: made } = await api.call("POST", "/v1/integrations", integration());
  const { body: run } = await api.call("POST", `/v1/integrations/${made.id}/run`);
  const url = await api.app.listen({ host: "127.0.0.1", port: 0 });
  const folder = tempDir();
  const known = { connectors: connector.id, integrations: made.id, runs: run.id };
  writeFileSync(join(folder, "schemathesis.toml"), Object.entries(known).map(pathId).join("\n"));
  const { code, output } = await schemathesis(folder, await venvFor(requirements), [
    ...["run", `${url}/openapi.json`, "--header", `Authorization: Bearer ${api.token}`],
    // Nobody carries anything out here, which invoke answers with 503; a stream of events has no end; and it would take
    // away the key that it comes with.
    ...["invokeIntegration", "streamEvents", "revokeApiKey"].flatMap((id) => ["--exclude-operation-id", id]),
    ...["--checks", "all", "--exclude-checks", leftOut, "--max-examples", "10", "--seed", "1", "--no-color"],
  ]);
  expect(code, output).toBe(0);
  expect(output).toMatch(/Tested: +\d{2}/);
  // Or all would have been 401.
  expect((await api.call("GET", "/v1/me")).status).toBe(200);
  expect(api.log.filter((line) => line.includes("request failed"))).toEqual([]);
}, 600_000);

/** What is there is asked for, but not deleted. */
const pathId = ([resource, id]: [string, string]): string => `[[operations]]
include-path-regex = "^/v1/${resource}/"
exclude-method = "DELETE"
parameters = { "path.id" = "${id}" }
`;

function schemathesis(
  folder: string,
  python: string,
  args: readonly string[],
): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    // It keeps what it found in the folder it runs in.
    const options = { cwd: folder, maxBuffer: 64 * 1024 * 1024 };
    const child = execFile(python, ["-m", "schemathesis.cli", ...args], options, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: `${stdout}\n${stderr}` }),
    );
  });
}
