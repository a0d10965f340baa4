import { readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { FairShare } from "../actors/backlog.ts";
import { LiveFeed } from "../actors/live-feed.ts";
import { control, type NodeView, nodeProps } from "../actors/node.ts";
import { gaugesReader } from "../actors/node-gauges.ts";
import { recordSearch } from "../actors/record-search.ts";
import { Settler } from "../actors/settler.ts";
import { Taps } from "../actors/taps.ts";
import { checkCron, nextFire } from "../adapters/cron/index.ts";
import { DiskSpace } from "../adapters/disk/index.ts";
import { lockDataDir, type ServerHandle, startNats, startPostgres } from "../adapters/embedded/index.ts";
import { createSandbox } from "../adapters/isolate/index.ts";
import { connectLogs, connectOwners, joinCluster } from "../adapters/jetstream/index.ts";
import { createValidator } from "../adapters/json-schema/index.ts";
import { PluginHost } from "../adapters/plugin/index.ts";
import { openStore } from "../adapters/postgres/index.ts";
import {
  connectVault,
  createSealer,
  keyring,
  masterKeys,
  ReferenceWatch,
  referenceResolver,
} from "../adapters/secrets/index.ts";
import { prometheusMetrics, startLogger, startTracing } from "../adapters/telemetry/index.ts";
import { createWorkerPool } from "../adapters/workers/index.ts";
import { createAuthenticator, ensureToken, oidcAuthenticator, RequestLimits } from "../gateway/auth/index.ts";
import { createGrpc } from "../gateway/grpc/index.ts";
import { HookReceiver } from "../gateway/hooks/index.ts";
import { createRest } from "../gateway/rest/index.ts";
import {
  ConnectorEvents,
  createConnectorRegistry,
  createServices,
  openHookSecrets,
  type Services,
} from "../gateway/services/index.ts";
import { nameFor, ServerTls } from "../gateway/tls/index.ts";
import { ActorSystem } from "../runtime/actor/index.ts";
import { Redactor, type ResolveReference } from "../runtime/config/index.ts";
import { expressions } from "../runtime/mapping/index.ts";
import { realClock } from "../runtime/ports/clock.ts";
import type { Logger } from "../runtime/ports/logger.ts";
import { actorConnectors } from "./actor-connectors.ts";
import { connectorTypes } from "./connector-types.ts";
import { addEnvironmentSecrets, addServerUrl } from "./environment-secrets.ts";
import { listenError, listenGrpc, naming } from "./listen.ts";
import { nodeId } from "./node-id.ts";
import type { NodeSettings } from "./node-settings.ts";
import { joinNodes } from "./nodes.ts";
import { createRunner } from "./runner.ts";
import { sharedFor } from "./shared-for.ts";
import { unreadVariables } from "./unread-variables.ts";

export interface RunningNode {
  /** `http://127.0.0.1:7400`; with a certificate `https` and a name that it is good for. */
  readonly url: string;
  readonly token: string;
  readonly services: Services;
  readonly databaseUrl: string;
  /** Stops in order; past the deadline what is in hand is left to be redelivered. */
  stop(): Promise<void>;
}

/** Subject between nodes. */
const pluginsChanged = "plugins";
/** Where scripts/console.mjs builds the console to. */
const consoleFolder = fileURLToPath(new URL("../console/dist", import.meta.url));
const defaultDeadlineMs = 10_000;
/** Partitions are made ahead for days, and history is dropped by the day. By the clock: a timer stands still while a machine sleeps. */
const maintenanceMs = 6 * 60 * 60 * 1000;
const maintenanceLookMs = 60_000;
/** Beside the main one, which has a core of its own and the rest of the work. */
const workerThreads = Math.min(availableParallelism() - 1, 4);

/**
 * The composition root: embedded servers, store, logs, actors, gateway, in the order of their needs. What was started
 * is stopped again, last first, when the node stops or when its start fails.
 */
export async function startNode(
  settings: NodeSettings,
  progress: (line: string) => void = () => {},
  logLine?: (line: string) => void,
): Promise<RunningNode> {
  const closers: (() => unknown)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    return await start(settings, progress, logLine, closers, stop);
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
}

async function start(
  settings: NodeSettings,
  tell: (line: string) => void,
  logLine: ((line: string) => void) | undefined,
  closers: (() => unknown)[],
  stop: () => Promise<void>,
): Promise<RunningNode> {
  const { dataDir, env } = settings;
  const lock = await lockDataDir(dataDir);
  closers.push(() => lock.release());
  const file = path.join(dataDir, "sluice.log");
  // Invariant 7: knows every secret that this node holds.
  const redactor = new Redactor({ shortest: 6 });
  addEnvironmentSecrets(redactor, env);
  const { redact } = redactor;
  const { logger, close } = startLogger({ file, level: settings.logLevel, also: logLine, redact });
  closers.push(close);
  for (const unread of unreadVariables(env)) logger.warn(unread);
  const tls = settings.tls && (await ServerTls.open(settings.tls, logger));
  closers.push(() => tls?.close());
  const progress = (line: string) => {
    logger.info(line);
    tell(line);
  };
  const version = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")).version as string;
  const id = await nodeId(dataDir);
  const warn = (problem: string) => logger.warn(problem);
  const { tracing, shutdown } = await startTracing({ env, version, node: id, warn });
  closers.push(() => shutdown().catch((error) => logger.warn({ err: error }, "the last spans could not be exported")));

  const servers = [
    settings.natsUrl
      ? undefined
      : embedded("nats-server", startNats({ dataDir, port: settings.natsPort, progress }), logger, closers),
    settings.databaseUrl
      ? undefined
      : embedded("postgres", startPostgres({ dataDir, port: settings.postgresPort, progress }), logger, closers),
  ] as const;
  // Where one fails, the other is waited for all the same: it has to be stopped.
  await Promise.allSettled(servers);
  const [nats, postgres] = await Promise.all(servers);
  const natsUrl = settings.natsUrl ?? (nats as ServerHandle).url;
  const databaseUrl = settings.databaseUrl ?? (postgres as ServerHandle).url;
  for (const url of [natsUrl, databaseUrl]) addServerUrl(redactor, url);
  const { retentionDays, deadLetterDays, auditDays } = settings;
  const store = await openStore({ url: databaseUrl, retentionDays, deadLetterDays, auditDays }).catch(
    naming("SLUICE_DATABASE_URL", settings.databaseUrl),
  );
  let maintained = Math.floor(Date.now() / maintenanceMs);
  const maintenance = setInterval(() => {
    const turn = Math.floor(Date.now() / maintenanceMs);
    if (turn === maintained) return;
    maintained = turn;
    store.maintain().catch((error) => {
      maintained = Number.NaN;
      logger.warn({ err: error }, "history could not be put in order");
    });
  }, maintenanceLookMs);
  closers.push(async () => {
    clearInterval(maintenance);
    await store.close();
  });
  const space = new DiskSpace({ folder: dataDir, clock: realClock });
  await space.start();
  closers.push(() => space.stop());
  // A nats-server that failed to write once (a full disk) answers no append until it is started again.
  const onUnconfirmed = () => {
    logger.warn("nats-server does not confirm appends");
    if (nats?.pid !== undefined) process.kill(nats.pid, "SIGTERM");
  };
  const logs = await connectLogs({
    url: natsUrl,
    name: `sluice ${id}`,
    claims: store.claims,
    replicas: settings.natsUrl === undefined ? 1 : settings.natsReplicas,
    onUnconfirmed,
  }).catch(naming("SLUICE_NATS_URL", settings.natsUrl));
  closers.push(() => logs.close());
  logs.link.onChange((connected) => {
    if (connected) logger.info("nats-server is back");
    else logger.warn("the connection to nats-server is lost");
  });
  const cluster = await joinCluster({ link: logs.link, nodeId: id, replicas: logs.replicas });
  closers.push(() => cluster.close());

  const validator = createValidator();
  const sandbox = createSandbox();
  closers.push(() => sandbox.close());
  const workers = createWorkerPool({
    program: new URL("./steps-worker.ts", import.meta.url),
    threads: workerThreads,
    onDeath: (error) => logger.warn({ err: error }, "a worker thread died: the main thread does its work"),
  });
  closers.push(() => workers.close());
  const secret = (value: string) => redactor.add(value);
  const vault = await connectVault({ env, clock: realClock, logger, secret });
  closers.push(() => vault?.close());
  const local = await masterKeys({ env, dataDir, secret });
  const sealer = createSealer(vault?.key ? keyring(vault.key, [local]) : local);
  const secretsDir = path.join(dataDir, "secrets");
  const resolve = referenceResolver({ env, secretsDir, vault: vault?.reader });
  const resolveReference: ResolveReference = async (scheme, argument) => {
    const value = await resolve(scheme, argument);
    redactor.add(value);
    return value;
  };
  const { fileRoots, pluginRoots, allowAddresses, kafkaBrokers } = settings;
  const plugins = new PluginHost({
    store,
    sealer,
    resolveReference,
    roots: pluginRoots,
    builtIn: connectorTypes.map(({ type }) => type),
    logger,
    redactor,
    publish: () => cluster.publish(pluginsChanged, null),
  });
  closers.push(cluster.subscribe(pluginsChanged, () => void plugins.sync().catch(() => {})));
  await plugins.start();
  closers.push(() => plugins.stop());
  const teams = new Map<string, Redactor>();
  const registry = createConnectorRegistry({
    teams,
    types: connectorTypes,
    pluginTypes: () => plugins.types(),
    context: { dataDir, fileRoots, closedFolders: pluginRoots, allowAddresses, kafkaBrokers, expressions },
    validator,
    sealer,
    resolveReference,
    redactor,
  });
  const connectorEvents = new ConnectorEvents({ store, registry, logger });
  connectorEvents.start();
  closers.push(() => connectorEvents.stop());
  const metrics = prometheusMetrics({ version });
  const settler = new Settler(store.checkpoints, realClock, logger);
  const view: NodeView = { health: new Map(), vitals: new Map(), owned: new Set(), names: new Set(), removed: [] };
  const cron = { next: nextFire };
  const copies = logs.replicas;
  const tier = settings.natsUrl === undefined ? "synced" : copies > 1 ? "replicated" : "server";
  const runner = createRunner({ cluster, cron, durability: { tier, copies } });
  const watch = new ReferenceWatch({ resolve: resolveReference, clock: realClock, everyMs: settings.secretsRefreshMs });
  const connectors = actorConnectors(store, registry, resolveReference, watch);
  const { lookups } = connectors;
  const owners = connectOwners(logs.link);
  // Anybody may ask for it: what a driver says, addresses and names of users in it, is for the log.
  let storeAnswers = true;
  const storeReason = async () => {
    const error = await store.ping().then(
      () => null,
      (error: unknown) => error ?? "no answer",
    );
    if (error !== null && storeAnswers) logger.warn({ err: error }, "Postgres does not answer");
    storeAnswers = error === null;
    return storeAnswers ? null : "Postgres takes no connection, or does not answer; the node's log says why";
  };
  // Anybody may ask, as often as they like.
  const readiness = {
    check: sharedFor(500, async () => ({
      nats: logs.status.connected ? (logs.status.reason ?? null) : (logs.status.reason ?? "not connected"),
      postgres: await storeReason(),
      settlement: settler.reason,
      disk: space.reason,
    })),
  };
  const nodes = joinNodes({ cluster, readiness, view, version, durability: runner.durability });
  closers.push(() => nodes.close());
  const live = new LiveFeed({ cluster, view, clock: realClock, describeNode: nodes.describe });
  live.start();
  closers.push(() => live.stop());
  const services = createServices({
    nodes,
    live,
    store,
    registry,
    plugins,
    runner,
    owners,
    cluster,
    validator,
    sealer,
    sandbox,
    lookups,
    resolveReference,
    checkCron,
    records: recordSearch({ history: logs.history, store: store.checkpoints }),
    traceUrl: settings.traceUrl,
    tracing,
  });
  const token = await ensureToken(dataDir, store.apiKeys);
  redactor.add(token);

  const system = new ActorSystem({
    hooks: {
      onRestart: (actor) => metrics.actorRestarted(...nameOf(actor, view)),
      onFailure: ({ path: actor, error, directive, delayMs }) => {
        const [name, integration] = nameOf(actor, view);
        // What is below an integration crashed; what takes the integration itself down says so by `waiting`.
        const id = /\/integration-([0-9a-f-]{36})\//.exec(actor)?.[1];
        if (id !== undefined) view.health.get(id)?.crashed(name, error);
        logger.warn({ actor: name, integration, err: error, directive, delay_ms: delayMs }, "an actor failed");
      },
    },
  });
  settler.start();
  closers.push(() => settler.stop());
  const taps = new Taps({
    cluster,
    redact: (text, owner) => (owner === null ? redactor : teams.get(owner))?.redact(text) ?? text,
  });
  taps.start();
  closers.push(() => taps.stop());
  system.spawn(
    nodeProps({
      taps,
      validator,
      sandbox,
      store: { ...store, runs: live.telling(store.runs) },
      connectors,
      settler,
      share: new FairShare(),
      owners,
      ...(workerThreads > 0 && { workers }),
      metrics,
      tracing,
      space,
      logger,
      cluster,
      logs,
      cron,
      view,
      eventRunMs: settings.eventRunMs,
    }),
    "node",
  );
  closers.push(() => system.shutdown(defaultDeadlineMs));

  const gauges = { view, store: store.deadLetters, readiness: readiness.check, space, clock: realClock };
  metrics.gauges(gaugesReader(gauges));
  const auth = createAuthenticator(store.apiKeys, settings.oidc && oidcAuthenticator(settings.oidc));
  const limits = new RequestLimits(settings.requestLimits);
  const hooks = new HookReceiver({
    store,
    owners,
    logger,
    metrics,
    tracing,
    secretsOf: (id, secrets) => openHookSecrets(id, secrets, sealer, resolveReference),
  });
  closers.push(cluster.subscribe(control.changed, () => hooks.changed()));
  const rest = createRest({
    services,
    auth,
    corsOrigins: settings.corsOrigins,
    limits,
    readiness,
    metrics,
    validator,
    hooks,
    logger,
    version,
    tls,
    consoleFolder,
  });
  closers.push(() => rest.close());
  const { host, httpPort } = settings;
  const heard = await rest.listen({ host, port: httpPort }).catch((error: unknown) => {
    throw listenError(error, httpPort, "the REST API", "SLUICE_HTTP_PORT");
  });
  const url = tls === undefined ? heard : urlFor(heard, tls);
  const grpc = createGrpc({ services, auth, limits, readiness, validator, logger, tls });
  closers.push(() => grpc.close());
  const grpcUrl = new URL(url);
  grpcUrl.port = String(await listenGrpc(grpc, settings, logger));
  // For the command line: whichever ports they are, and gone when the node is.
  for (const [name, heardAt] of [
    ["url", url],
    ["grpc-url", grpcUrl.origin],
  ] as const) {
    await writeFile(path.join(dataDir, name), `${heardAt}\n`);
    closers.push(() => rm(path.join(dataDir, name), { force: true }));
  }
  if (tls === undefined && !isLoopback(host)) {
    logger.warn({ host }, "others reach this node without TLS: tokens go over the network in the clear");
  }
  logger.info({ url, grpc: grpcUrl.origin, version }, "ready");
  // The others take over what has stopped here, while this node finishes the rest.
  closers.push(() => {
    nodes.draining();
    cluster.leave();
  });
  closers.push(() => logger.info("stopping"));
  return { url, token, services, databaseUrl, stop };
}

const isLoopback = (host: string) => host === "localhost" || host === "::1" || /^127\./.test(host);

function urlFor(heard: string, tls: ServerTls): string {
  const url = new URL(heard);
  url.hostname = nameFor(url.hostname, tls.material.cert);
  return url.origin;
}

/** An actor's name as its part plays it, and the name of the integration that it belongs to. */
function nameOf(actor: string, { vitals }: NodeView): [actor: string, integration?: string] {
  const id = /\/integration-([0-9a-f-]{36})/.exec(actor)?.[1];
  const name = /[^/]*$/.exec(actor)?.[0].replace(/^integration-.*/, "integration") ?? actor;
  const integration = id === undefined ? undefined : vitals.get(id)?.name;
  return integration === undefined ? [name] : [name, integration];
}

async function embedded(
  name: string,
  starting: Promise<ServerHandle>,
  logger: Logger,
  closers: (() => unknown)[],
): Promise<ServerHandle> {
  const server = await starting;
  closers.push(() => server.stop());
  server.onStatus((status) => {
    if (status.state === "restarting")
      logger.warn({ server: name, reason: status.reason }, "an embedded server died and is started again");
    else if (status.state === "ready") logger.info({ server: name }, "an embedded server is ready");
  });
  return server;
}
