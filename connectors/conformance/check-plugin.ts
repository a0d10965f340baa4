import { randomBytes } from "node:crypto";
import { HealthCheckResponse_ServingStatus } from "../../proto/gen/grpc/health/v1/health.ts";
import type { SpecResponse } from "../../proto/gen/sluice/connector/v1/connector.ts";
import type { ConnectorError, JsonObject } from "../sdk/index.ts";
import { type Check, cut, demand, demandSame, Flaw, leastSecret, type PluginHandle, type Subject } from "./check.ts";
import { configsOf } from "./fixture.ts";
import { instanceOf, readCall } from "./raw.ts";
import { defaultAims } from "./read.ts";
import { secretMembers, textsAt } from "./schema.ts";

const stopSeconds = 5;

/** What a program is tried for, before all else. */
export const protocolChecks: readonly Check[] = [
  {
    id: "spec.protocol",
    title: "it speaks version 1 of the protocol where that is offered, and none that it does not know",
    needs: "plugin",
    async run({ plugin }) {
      const both = await specOf(plugin!, [4711, 1]);
      demandSame(both.protocolVersion, 1, "the version that it speaks, offered 4711 and 1");
      const refused = await specOf(plugin!, [4711]).then(
        ({ protocolVersion }) => `it took version ${protocolVersion}`,
        () => undefined,
      );
      demand(refused === undefined, `offered version 4711 alone, ${refused}`);
      return undefined;
    },
  },
  {
    id: "spec.health",
    title: "it serves the standard health service, and is SERVING",
    needs: "plugin",
    async run({ plugin }) {
      const status = await new Promise<HealthCheckResponse_ServingStatus>((resolve, reject) => {
        plugin!
          .health()
          .check({ service: "" }, (error, answer) =>
            error ? reject(new Flaw(`grpc.health.v1.Health: ${error.message}`)) : resolve(answer.status),
          );
      });
      demandSame(status, HealthCheckResponse_ServingStatus.SERVING, "its health (1 is SERVING)");
      return undefined;
    },
  },
];

/** What it is tried for at the end. */
export const lastChecks: readonly Check[] = [
  {
    id: "secrets.planted",
    title: "no secret of its config stands in an error, in its log or in its spans",
    async run(subject) {
      const { fixture, plugin, type } = subject;
      const members = secretMembers(type.config).filter(({ isSecret }) => isSecret);
      const configs = configsOf(fixture);
      const secrets = new Set(configs.flatMap((config) => members.flatMap(({ path }) => textsAt(config, path))));
      const errors: string[] = [];
      for (const { path } of members) {
        const secret = `planted${randomBytes(9).toString("hex")}`;
        const planted = structuredClone(fixture.config);
        if (!plant(planted, path, secret)) continue;
        secrets.add(secret);
        errors.push(...(await errorsOf(subject, planted)));
      }
      for (const config of configs) errors.push(...(await errorsOf(subject, config)));
      const places = [
        ...errors.map((text) => ({ place: "error", text })),
        // What it says comes a moment later.
        ...(plugin === undefined ? [] : await settled(plugin)),
      ];
      for (const secret of secrets) {
        if (secret.length < leastSecret) continue;
        for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64")]) {
          const found = places.find(({ text }) => text.includes(form));
          const shown = found && cut(found.text.replaceAll(form, "THE SECRET"), 300);
          demand(found === undefined, `a secret stands in its ${found?.place}: ${shown}`);
        }
      }
      const count = (wanted: string) => places.filter(({ place }) => place === wanted).length;
      return { secrets: secrets.size, errors: count("error"), log_lines: count("log"), spans: count("span") };
    },
  },
  {
    id: "stop.prompt",
    title: "asked to end in the middle of its work, it ends by itself within five seconds, with all that it started",
    needs: "process",
    async run({ plugin, fixture }) {
      const { source } = fixture;
      if (source !== undefined) {
        const call = await readCall(plugin!, {
          instance: instanceOf(fixture.config),
          stream: source.stream,
          mode: source.mode === "full" ? 1 : 2,
          cursorField: source.cursorField ?? "",
          cursor: "",
          batchRecords: 1,
          batchBytes: defaultAims.bytes,
          endless: false,
        });
        await call.opened();
      }
      const { end, seconds, leftProcesses } = await plugin!.process!.restart();
      demand(!end.startsWith("was ended"), `it did not end within ${stopSeconds} s and was killed`);
      demand(!leftProcesses, "it left processes behind that it had started");
      return { seconds };
    },
  },
];

function specOf(plugin: PluginHandle, protocolVersions: number[]): Promise<SpecResponse> {
  return new Promise((resolve, reject) => {
    plugin.client().spec({ protocolVersions }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

/** All that a connector of a config fails with, as texts. */
async function errorsOf({ type, fixture }: Subject, config: JsonObject): Promise<string[]> {
  const errors: string[] = [];
  const signal = AbortSignal.timeout(10_000);
  const gather = (error: unknown) => {
    const { message, stack, path } = error as ConnectorError;
    errors.push(`${message} ${path} ${stack} ${JSON.stringify(error)}`);
  };
  let connector: ReturnType<typeof type.create>;
  try {
    connector = type.create(config, fixture.context);
  } catch (error) {
    gather(error);
    return errors;
  }
  await connector.check(signal).catch(gather);
  await connector.discover(signal).catch(gather);
  const { source, destination } = fixture;
  if (source !== undefined) {
    const { stream, mode, cursorField, missing } = source;
    for (const name of [stream, missing?.stream ?? "no_such_stream"]) {
      const options = { stream: name, mode, cursorField, from: null, batch: defaultAims, signal };
      await (async () => {
        const opened = await connector.openSource!(options);
        for await (const { failures = [] } of opened.read()) for (const failure of failures) gather(failure);
        await opened.close();
      })().catch(gather);
    }
  }
  for (const mode of destination?.modes ?? []) {
    const { stream, key = [], refused, records } = destination!;
    await (async () => {
      const opened = await connector.openDestination!({ stream, mode, key, runId: "secrets", state: null, signal });
      const value = refused ?? records[0]!;
      const text = JSON.stringify(value);
      const { failed = [] } = await opened.write({ records: [{ text, value, id: "secrets" }], signal });
      for (const failure of failed) gather(failure);
      await opened.close();
    })().catch(gather);
  }
  await connector.close();
  return errors;
}

async function settled(plugin: PluginHandle) {
  for (let before = -1; before !== plugin.said().length; ) {
    before = plugin.said().length;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return plugin.said();
}

/** Puts a secret in the place of another; false where the config has none there. */
function plant(config: JsonObject, path: string, secret: string): boolean {
  if (path.includes("[]") || textsAt(config, path).length === 0) return false;
  const names = path.split(".").slice(1);
  const last = names.pop() as string;
  const holder = names.reduce<JsonObject>((value, name) => value[name] as JsonObject, config);
  holder[last] = secret;
  return true;
}
