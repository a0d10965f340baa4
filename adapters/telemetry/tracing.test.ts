import { expect, test } from "vitest";
import { noTracing } from "../../runtime/ports/telemetry.ts";
import { startTracing } from "./index.ts";

const start = async (env: NodeJS.ProcessEnv) => {
  const warnings: string[] = [];
  const { tracing } = await startTracing({ env, version: "1", node: "n", warn: (problem) => warnings.push(problem) });
  return { isOff: tracing === noTracing, warnings };
};

test("an address of a collector that is none is told of, by its name alone", async () => {
  const told = (name: string) => [`${name} is no address such as http://127.0.0.1:4318: no spans are exported`];
  for (const name of ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]) {
    for (const address of ["collector", "127.0.0.1:4318", "ftp://u:hunter2@collector"])
      expect(await start({ [name]: address })).toEqual({ isOff: true, warnings: told(name) });
  }
  expect(await start({})).toEqual({ isOff: true, warnings: [] });
  expect(await start({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector", OTEL_SDK_DISABLED: "true" })).toMatchObject({
    warnings: [],
  });
});
