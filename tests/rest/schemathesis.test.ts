import { execFile } from "node:child_process";
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
  await api.call("POST", "/v1/connectors", fileConnector(api));
  await api.call("POST", "/v1/integrations", integration());
  const url = await api.app.listen({ host: "127.0.0.1", port: 0 });
  const { code, output } = await schemathesis(await venvFor(requirements), [
    ...["run", `${url}/openapi.json`, "--header", `Authorization: Bearer ${api.token}`],
    // Nobody carries anything out here, which invoke answers with 503; a stream of events has no end.
    ...["--exclude-operation-id", "invokeIntegration", "--exclude-operation-id", "streamEvents"],
    ...["--checks", "all", "--exclude-checks", leftOut, "--max-examples", "10", "--seed", "1", "--no-color"],
  ]);
  expect(code, output).toBe(0);
  expect(output).toMatch(/Tested: +\d{2}/);
  expect(api.log.filter((line) => line.includes("request failed"))).toEqual([]);
}, 600_000);

function schemathesis(python: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    // It keeps what it found in the folder it runs in.
    const options = { cwd: tempDir(), maxBuffer: 64 * 1024 * 1024 };
    const child = execFile(python, ["-m", "schemathesis.cli", ...args], options, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: `${stdout}\n${stderr}` }),
    );
  });
}
