import { randomUUIDv7 } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import type { Connectors } from "../../actors/connectors.ts";
import { checkCron, nextFire } from "../../adapters/cron/index.ts";
import { createSandbox } from "../../adapters/isolate/index.ts";
import { createValidator } from "../../adapters/json-schema/index.ts";
import { PluginHost } from "../../adapters/plugin/index.ts";
import { openStore } from "../../adapters/postgres/index.ts";
import { createSealer, masterKeys, referenceResolver } from "../../adapters/secrets/index.ts";
import { actorConnectors } from "../../cli/actor-connectors.ts";
import { connectorTypes } from "../../cli/connector-types.ts";
import { type Authenticator, createAuthenticator, ensureToken, RequestLimits } from "../../gateway/auth/index.ts";
import { HookReceiver } from "../../gateway/hooks/index.ts";
import { createRest, type RestOptions } from "../../gateway/rest/index.ts";
import {
  createConnectorRegistry,
  createServices,
  openHookSecrets,
  type Runner,
  type ServiceContext,
} from "../../gateway/services/index.ts";
import { resolveIntegration } from "../../runtime/config/index.ts";
import { RetryLaterError, SluiceError } from "../../runtime/errors/index.ts";
import { expressions } from "../../runtime/mapping/index.ts";
import { noLogger } from "../../runtime/ports/logger.ts";
import type { Store } from "../../runtime/ports/store.ts";
import { createDatabase } from "../support/servers.ts";
import { tempDir } from "../support/temp-dir.ts";

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the API answers; tests say what they expect of it.
  readonly body: any;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface Api {
  readonly app: FastifyInstance;
  readonly store: Store;
  /** As the actors get them. */
  readonly connectors: Connectors;
  readonly dataDir: string;
  readonly token: string;
  readonly databaseUrl: string;
  /** Ids that the runner was told of. */
  readonly changed: string[];
  /** Lines of the log. */
  readonly log: string[];
  /** Sets what readyz reports. */
  readonly parts: Record<string, string | null>;
  /** What other protocols are served from. */
  readonly gateway: Pick<RestOptions, "services" | "auth" | "limits" | "readiness" | "validator">;
  call(method: string, url: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

/** No node carries anything out. */
const nobody: ServiceContext["owners"] = {
  maxBytes: 1024 * 1024,
  ask: async () => {
    throw new RetryLaterError("no node is there", 1_000);
  },
};

/** The gateway over a new database, with a runner that opens runs and moves nothing. */
export async function startApi({
  issuer,
  ...more
}: Partial<RestOptions> & { readonly issuer?: Authenticator } = {}): Promise<Api> {
  const dataDir = tempDir();
  const databaseUrl = await createDatabase();
  const store = await openStore({ url: databaseUrl });
  onTestFinished(() => store.close());
  const validator = createValidator();
  const sealer = createSealer(await masterKeys({ env: {}, dataDir }));
  const env = { SLUICE_SECRET_FOLDER: path.join(dataDir, "files") };
  const resolveReference = referenceResolver({ env, secretsDir: path.join(dataDir, "secrets") });
  const plugins = new PluginHost({
    store,
    sealer,
    resolveReference,
    roots: [path.join(dataDir, "plugins")],
    builtIn: connectorTypes.map(({ type }) => type),
    logger: noLogger,
    publish: () => {},
  });
  onTestFinished(() => plugins.stop());
  const registry = createConnectorRegistry({
    types: connectorTypes,
    pluginTypes: () => plugins.types(),
    context: { dataDir, fileRoots: [dataDir], expressions },
    validator,
    sealer,
    resolveReference,
  });
  const sandbox = createSandbox();
  onTestFinished(() => sandbox.close());
  const connectors = actorConnectors(store, registry, resolveReference);
  const { lookups } = connectors;
  const changed: string[] = [];
  const runner = openingRunner(changed);
  const services = createServices({
    nodes: { list: async () => [] },
    live: { describe: async () => new Map(), detail: async () => null, listen: () => () => {} },
    store,
    registry,
    plugins,
    runner,
    owners: nobody,
    cluster: { publish: () => {}, subscribe: () => () => {} },
    validator,
    sealer,
    sandbox,
    lookups,
    resolveReference,
    checkCron,
    // The logs are another test's (tests/telemetry/follow.test.ts).
    records: { find: async () => ({ items: [], searched: { messages: 0, oldest: null, cut: null } }) },
  });
  const token = await ensureToken(dataDir, store.apiKeys);
  const parts: Record<string, string | null> = { nats: null, postgres: null };
  const log: string[] = [];
  const gateway = {
    services,
    auth: createAuthenticator(store.apiKeys, issuer),
    limits: new RequestLimits({ perMinute: 0, refusedPerMinute: 0 }),
    readiness: { check: async () => parts },
    validator,
  };
  const app = createRest({
    ...gateway,
    metrics: { contentType: "text/plain; version=0.0.4", render: async () => "sluice_up 1\n" },
    hooks: new HookReceiver({
      store,
      owners: nobody,
      logger: noLogger,
      metrics: { hook: () => {} },
      secretsOf: (id, secrets) => openHookSecrets(id, secrets, sealer, resolveReference),
    }),
    logger: pino({}, { write: (line: string) => void log.push(line) }),
    version: "0.0.0",
    ...more,
  });
  onTestFinished(() => app.close());
  mkdirSync(path.join(dataDir, "files"));
  writeFileSync(path.join(dataDir, "files", "a.ndjson"), '{"a":1}\n');

  async function call(
    method: string,
    url: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await app.inject({
      method: method as "GET",
      url,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { payload: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const isJson = /json/.test(String(response.headers["content-type"]));
    return { status: response.statusCode, body: isJson ? response.json() : response.body, headers: response.headers };
  }
  return { app, store, connectors, dataDir, token, databaseUrl, changed, log, parts, gateway, call };
}

function openingRunner(changed: string[]): Runner {
  return {
    onChanged: () => {},
    async start(integrationId, trigger, store) {
      const { version } = (await store.integrations.get(integrationId))!;
      const id = randomUUIDv7();
      const run = await store.runs.create({
        id,
        integrationId,
        integrationVersion: version,
        trigger,
        onlyIfIdle: true,
      });
      if (run === null) throw new SluiceError("CONFLICT", "a run is under way");
      return run;
    },
    changed: (ids) => void changed.push(...ids),
    cancel: ({ id }) => void changed.push(id),
    nodes: () => 1,
    durability: { tier: "synced", copies: 1 },
    nextFire({ spec, enabled }, after = new Date()) {
      if (!enabled) return null;
      const { trigger } = resolveIntegration(spec);
      return trigger.type === "schedule" ? nextFire(trigger.cron, trigger.timezone, after) : null;
    },
  };
}

/** A file connector on the folder with `a.ndjson`. */
export const fileConnector = (api: Api, name = "files") => ({
  name,
  type: "file",
  config: { path: path.join(api.dataDir, "files"), format: "ndjson" },
});

export const integration = (change: object = {}) => ({
  name: "copy",
  source: { connector: "files", stream: "a.ndjson" },
  destination: { connector: "files", stream: "b.ndjson" },
  ...change,
});
