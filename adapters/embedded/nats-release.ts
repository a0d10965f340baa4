import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { MakeOptions } from "./make-options.ts";

const RELEASES = "https://github.com/nats-io/nats-server/releases/download";
const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: "amd64", arm64: "arm64" };
const DOWNLOAD_MS = 5 * 60_000;

/** Downloads the official release for this platform, refused unless it matches the checksums published with it. */
export async function downloadNatsServer({ version, folder, progress }: MakeOptions): Promise<string> {
  const name = releaseName(version, process.platform, process.arch);
  const base = `${RELEASES}/v${version}`;
  progress(`downloading ${name}.tar.gz …`);
  const sums = (await download(`${base}/SHA256SUMS`)).toString();
  const archive = await download(`${base}/${name}.tar.gz`);
  verifySum(archive, `${name}.tar.gz`, sums);
  const file = join(folder, "nats-server.tar.gz");
  writeFileSync(file, archive);
  await promisify(execFile)("tar", ["-xzf", file, "-C", folder]);
  return join(folder, name, "nats-server");
}

/** `nats-server-v2.15.2-linux-amd64`. */
export function releaseName(version: string, platform: NodeJS.Platform, arch: NodeJS.Architecture): string {
  const architecture = ARCHITECTURES[arch];
  if (architecture === undefined || (platform !== "linux" && platform !== "darwin")) {
    throw new Error(`there is none for ${platform}-${arch}`);
  }
  return `nats-server-v${version}-${platform}-${architecture}`;
}

/** @throws unless `sums`, as sha256sum writes them, has this file's checksum. */
export function verifySum(file: Uint8Array, name: string, sums: string): void {
  const lines = sums.split("\n").map((line) => line.trim().split(/\s+\*?/));
  const published = lines.find(([, file]) => file === name)?.[0];
  if (published === undefined) throw new Error(`no checksum is published for ${name}`);
  const actual = createHash("sha256").update(file).digest("hex");
  if (actual !== published.toLowerCase()) {
    throw new Error(`${name} has the SHA-256 ${actual}, published is ${published}: not used`);
  }
}

async function download(url: string): Promise<Buffer> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_MS) });
  } catch (error) {
    throw new Error(`${url} cannot be reached (${((error as Error).cause as Error)?.message ?? error})`);
  }
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}
