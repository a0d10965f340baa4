import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Admin, Kafka, logLevel } from "kafkajs";
import { cacheDir } from "../../adapters/embedded/cache-dir.ts";
import { type GuardedProcess, startGuarded } from "../../adapters/embedded/guarded-process.ts";
import { takePidLock } from "../../adapters/embedded/pid-lock.ts";
import { freePort } from "../../adapters/embedded/ports.ts";
import { untilReady } from "../../adapters/embedded/supervised-server.ts";
import { mendTimers } from "../../connectors/kafka/timers.ts";
import { localhostTls } from "./tls.ts";

mendTimers();

const run = promisify(execFile);
const service = fileURLToPath(new URL("../../deploy/services/kafka", import.meta.url));
/** The version that deploy/services/kafka/pom.xml pins. */
const VERSION = "4.1.0";
const OTHER_BUILD_MS = 15 * 60_000;
const startMs = 120_000;
const stopMs = 5_000;

/** Users that may log in, with any mechanism. */
export const kafkaUser = { username: "sluice", password: "right-kafka-password" } as const;

export interface KafkaHome {
  /** Folder of the jars. */
  readonly jars: string;
  /** What an empty broker's data folder holds. */
  readonly formatted: string;
}

/**
 * Kafka from the user's cache, or fetched with Maven into it, which verifies what it downloads. Throws with what is
 * missing.
 */
export async function findKafka({ cache = cacheDir(), env = process.env } = {}): Promise<KafkaHome> {
  const folder = join(cache, `kafka-${VERSION}`);
  const home = { jars: join(folder, "jars"), formatted: join(folder, "formatted") };
  try {
    const { stderr } = await run("java", ["-version"], { env });
    if (Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0) < 17) throw new Error("Java on PATH is older than 17");
    if (existsSync(folder)) return home;
    await run("mvn", ["--version"], { env });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(code === "ENOENT" ? "Java or Maven (mvn) is not on PATH" : message);
  }
  mkdirSync(cache, { recursive: true });
  const lock = await takePidLock(`${folder}.lock`, OTHER_BUILD_MS);
  const made = mkdtempSync(`${folder}.`);
  try {
    // Else made by the process that held the lock.
    if (!existsSync(folder)) {
      process.stderr.write(`fetching Kafka ${VERSION} with Maven, once (about a quarter of a minute) …\n`);
      await fetchJars(join(made, "jars"), made, env);
      await format(join(made, "jars"), join(made, "formatted"), made, env);
      renameSync(made, folder);
    }
    return home;
  } catch (error) {
    const { stdout = "", message } = error as { stdout?: string; message: string };
    throw new Error(`Kafka ${VERSION} cannot be had: ${stdout.trim().split("\n").slice(-5).join(" / ")} ${message}`);
  } finally {
    rmSync(made, { recursive: true, force: true });
    lock.release();
  }
}

async function fetchJars(jars: string, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  // Copied: Maven writes beside it.
  cpSync(join(service, "pom.xml"), join(folder, "pom.xml"));
  const options = ["--batch-mode", "--quiet", "--strict-checksums", "--no-transfer-progress"];
  await run("mvn", [...options, "dependency:copy-dependencies", `-DoutputDirectory=${jars}`], { cwd: folder, env });
}

/** An empty data folder that knows the users. */
async function format(jars: string, data: string, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const file = join(folder, "server.properties");
  const listeners =
    "controller.quorum.voters=1@127.0.0.1:1\nlisteners=CONTROLLER://127.0.0.1:1,PLAINTEXT://127.0.0.1:2";
  writeFileSync(file, `${readFileSync(join(service, "server.properties"), "utf8")}\n${listeners}\nlog.dirs=${data}\n`);
  const { username, password } = kafkaUser;
  const scram = ["256", "512"].flatMap((bits) => [
    "--add-scram",
    `SCRAM-SHA-${bits}=[name=${username},password=${password}]`,
  ]);
  const id = ["--cluster-id", "c2x1aWNlLXRlc3RzLTAwMQ"];
  await run("java", ["-cp", join(jars, "*"), "kafka.tools.StorageTool", "format", ...id, "--config", file, ...scram], {
    env,
  });
}

export interface KafkaOptions {
  /** Holds its data, its settings and its log. */
  readonly folder: string;
  readonly atEnd: (end: () => Promise<void>) => void;
  /** Further settings of the server. */
  readonly settings?: readonly string[];
  /** Of the JVM. Left out: those for a quick start. */
  readonly java?: readonly string[];
}

/** One real broker, which may be killed, paused and started again on the same ports and data. */
export class KafkaBroker {
  readonly #folder: string;
  readonly #jars: string;
  readonly #ports: { readonly plain: number; readonly sasl: number; readonly tls: number; readonly mtls: number };
  readonly #java: readonly string[];
  #process: GuardedProcess | undefined;

  private constructor(folder: string, jars: string, ports: KafkaBroker["ports"], java: readonly string[]) {
    this.#folder = folder;
    this.#jars = jars;
    this.#ports = ports;
    this.#java = java;
  }

  /** Resolves when it takes requests. */
  static async start({ folder, atEnd, settings = [], java }: KafkaOptions): Promise<KafkaBroker> {
    const { jars, formatted } = await findKafka();
    const [plain, sasl, tls, mtls, controller] = await Promise.all(Array.from({ length: 5 }, freePort));
    const ports = { plain: plain!, sasl: sasl!, tls: tls!, mtls: mtls! };
    const broker = new KafkaBroker(folder, jars, ports, java ?? ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
    const data = join(folder, "kafka");
    cpSync(formatted, data, { recursive: true });
    const own = [
      `PLAINTEXT://127.0.0.1:${plain}`,
      `SASL://127.0.0.1:${sasl}`,
      `TLS://localhost:${tls}`,
      `MTLS://localhost:${mtls}`,
    ].join(",");
    const [cert, key] = [localhostTls.cert, localhostTls.key].map((pem) => pem.trim().replaceAll("\n", "\\n"));
    const { username, password } = kafkaUser;
    const login = (name: string) =>
      `org.apache.kafka.common.security.${name}.${name === "plain" ? "Plain" : "Scram"}LoginModule required`;
    const lines = [
      readFileSync(join(service, "server.properties"), "utf8"),
      `controller.quorum.voters=1@127.0.0.1:${controller}`,
      `listeners=${own},CONTROLLER://127.0.0.1:${controller}`,
      `advertised.listeners=${own}`,
      // Of the format of properties: a space and a colon are themselves in values.
      `log.dirs=${data.replaceAll("\\", "\\\\")}`,
      `listener.name.sasl.plain.sasl.jaas.config=${login("plain")} user_${username}="${password}";`,
      ...["256", "512"].map((bits) => `listener.name.sasl.scram-sha-${bits}.sasl.jaas.config=${login("scram")};`),
      ...["tls", "mtls"].flatMap((name) => [
        `listener.name.${name}.ssl.keystore.type=PEM`,
        `listener.name.${name}.ssl.keystore.certificate.chain=${cert}`,
        `listener.name.${name}.ssl.keystore.key=${key}`,
        `listener.name.${name}.ssl.truststore.type=PEM`,
        `listener.name.${name}.ssl.truststore.certificates=${cert}`,
      ]),
      "listener.name.mtls.ssl.client.auth=required",
      ...settings,
    ];
    writeFileSync(broker.#config, lines.join("\n"));
    atEnd(() => broker.stop());
    await broker.start();
    return broker;
  }

  get #config(): string {
    return join(this.#folder, "server.properties");
  }

  get ports(): { readonly plain: number; readonly sasl: number; readonly tls: number; readonly mtls: number } {
    return this.#ports;
  }

  /** As in `SLUICE_KAFKA_BROKERS`: without TLS and log-in. */
  get address(): string {
    return `127.0.0.1:${this.#ports.plain}`;
  }

  get pid(): number {
    if (!this.#process) throw new Error("the broker does not run");
    return this.#process.pid;
  }

  /** After it was killed: with the same data, on the same ports. */
  async start(): Promise<void> {
    const output = openSync(join(this.#folder, "kafka.log"), "a");
    const process_ = await startGuarded({
      file: "java",
      args: ["-Xms256m", "-Xmx768m", ...this.#java, "-cp", join(this.#jars, "*"), "kafka.Kafka", this.#config],
      cwd: this.#folder,
      stopSignal: "TERM",
      output,
    });
    this.#process = process_;
    const died = process_.exited.then((end) => {
      const log = readFileSync(join(this.#folder, "kafka.log"), "utf8");
      throw new Error(`Kafka ended (${end}); its log ends with:\n${log.split("\n").slice(-20).join("\n")}`);
    });
    const answers = untilReady(async () => {
      const admin = this.client(0).admin();
      try {
        await admin.connect();
        const { brokers } = await admin.describeCluster();
        if (brokers.length === 0) throw new Error("no broker is registered yet");
      } finally {
        await admin.disconnect();
      }
    }, AbortSignal.timeout(startMs));
    await Promise.race([answers, died]);
    died.catch(() => undefined);
  }

  /** kill -9. Resolves when it is gone. */
  async kill(): Promise<void> {
    const process_ = this.#process;
    if (!process_) return;
    this.#process = undefined;
    process.kill(process_.pid, "SIGKILL");
    await process_.exited;
  }

  async stop(): Promise<void> {
    await this.#process?.stop(stopMs);
    this.#process = undefined;
  }

  /** kafkajs as it comes, save for its timers: a client that is not ours. */
  client(retries = 10): Kafka {
    return new Kafka({ brokers: [this.address], logLevel: logLevel.NOTHING, retry: { retries } });
  }

  async createTopic(topic: string, partitions = 1, settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const admin = this.client().admin();
    await admin.connect();
    try {
      const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
      const made = { topic, numPartitions: partitions, replicationFactor: 1, configEntries };
      // It is looked for here: kafkajs takes a broker that has yet to hear of the topic for one that never will.
      await admin.createTopics({ topics: [made], waitForLeaders: false });
      while (!(await hasLeaders(admin, topic, partitions))) await delay(50);
    } finally {
      await admin.disconnect();
    }
  }
}

async function hasLeaders(admin: Admin, topic: string, partitions: number): Promise<boolean> {
  try {
    const [found] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics;
    const led = found?.partitions.filter(({ leader }) => leader >= 0) ?? [];
    if (led.length < partitions) return false;
    // A leader may be named before it knows that it is one.
    await admin.fetchTopicOffsets(topic);
    return true;
  } catch {
    return false;
  }
}
