import { existsSync } from "node:fs";
import { findNatsServer } from "../../adapters/embedded/nats-server.ts";
import { findChromium } from "../../tests/support/chromium.ts";
import { findGrpcurl } from "../../tests/support/grpcurl.ts";
import { findKafka } from "../../tests/support/kafka.ts";
import { findPrometheus } from "../../tests/support/prometheus.ts";
import { findToxiproxy } from "../../tests/support/toxiproxy.ts";
import { run } from "./command.ts";

interface Requirement {
  readonly name: string;
  /** Why it is not there, or null when it is. */
  missing(): Promise<string | null>;
  /** Debian packages that bring it. */
  readonly packages: readonly string[];
  readonly how: string;
}

const REQUIREMENTS: readonly Requirement[] = [
  {
    name: "nats-server",
    missing: () =>
      findNatsServer({ progress: print }).then(
        () => null,
        (error: Error) => error.message,
      ),
    packages: ["golang-go"],
    how: "install Go 1.26 or later (https://go.dev/dl, brew install go) or nats-server 2.14 or later",
  },
  {
    name: "toxiproxy",
    missing: () =>
      findToxiproxy().then(
        () => null,
        (error: Error) => error.message,
      ),
    packages: ["golang-go"],
    how: "install Go 1.26 or later (https://go.dev/dl, brew install go)",
  },
  {
    name: "grpcurl",
    missing: () =>
      findGrpcurl().then(
        () => null,
        (error: Error) => error.message,
      ),
    packages: ["golang-go"],
    how: "install Go 1.26 or later (https://go.dev/dl, brew install go)",
  },
  {
    name: "Kafka",
    missing: () =>
      findKafka().then(
        () => null,
        (error: Error) => error.message,
      ),
    packages: ["default-jre-headless", "maven"],
    how: "install Java 17 or later and Maven (https://adoptium.net, brew install openjdk maven)",
  },
  {
    name: "Prometheus",
    missing: () =>
      findPrometheus().then(
        () => null,
        (error: Error) => error.message,
      ),
    packages: ["prometheus"],
    how: "install Prometheus 2.42 or later, promtool with it (https://prometheus.io/download, brew install prometheus)",
  },
  {
    name: "Chromium",
    missing: async () => {
      try {
        findChromium();
        return null;
      } catch (error) {
        return (error as Error).message;
      }
    },
    packages: ["chromium"],
    how: "install Chromium or Chrome (https://www.google.com/chrome, brew install --cask google-chrome), or name it by SLUICE_CHROMIUM",
  },
  {
    name: "Python 3 with venv",
    missing: async () => {
      const { code, output } = await run("python3", ["-c", "import venv, ensurepip"]);
      return code === 0 ? null : output;
    },
    packages: ["python3", "python3-venv"],
    how: "install Python 3.10 or later (https://www.python.org/downloads, brew install python)",
  },
];

/**
 * Sees to everything that the tests want besides what npm installs. As root on Debian it installs what is missing;
 * elsewhere, or where that does not help, it throws with all that is missing and how to get it.
 */
export async function ensureRequirements(): Promise<void> {
  let missing = await findMissing(REQUIREMENTS);
  if (missing.length > 0 && process.getuid?.() === 0 && existsSync("/etc/debian_version")) {
    await installDebianPackages(missing.flatMap(({ requirement }) => requirement.packages));
    missing = await findMissing(missing.map(({ requirement }) => requirement));
  }
  if (missing.length === 0) return;
  const lines = missing.map(({ requirement: { name, how }, reason }) => `${name}: ${how}.\n${reason}`);
  throw new Error(`verify needs what is not here:\n\n${lines.join("\n\n")}`);
}

async function findMissing(requirements: readonly Requirement[]) {
  const found = await Promise.all(
    requirements.map(async (requirement) => ({ requirement, reason: await requirement.missing() })),
  );
  return found.filter(({ reason }) => reason !== null);
}

async function installDebianPackages(packages: readonly string[]): Promise<void> {
  print(`installing ${packages.join(", ")} with apt-get …`);
  const steps = [["update"], ["install", "--yes", "--no-install-recommends", ...packages]];
  for (const step of steps) {
    // At this runlevel no package starts its servers.
    const { code, output } = await run("env", [
      "DEBIAN_FRONTEND=noninteractive",
      "RUNLEVEL=1",
      "apt-get",
      "-q",
      ...step,
    ]);
    if (code !== 0) return print(`apt-get ${step[0]} failed:\n${output}`);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
