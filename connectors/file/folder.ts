import { access, constants, glob, mkdir, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize, relative, resolve, sep } from "node:path";
import { type ConnectorContext, ConnectorError, nearest } from "../sdk/index.ts";
import type { FileConfig } from "./config.ts";
import { fileError, isMissing } from "./file-error.ts";

/** What the product itself keeps in the data folder: keys, secrets, servers. */
const ownEntries = new Set(["keys", "nats", "node-id", "plugins", "postgres", "secrets", "sluice.lock", "url"]);
/** The log with those before it, and the token with what it is written aside as. */
const isOwn = (entry: string): boolean => ownEntries.has(entry) || /^(sluice\.log|token)(\.|$)/.test(entry);

/** What is no data, and shows what a process knows. */
const systemFolders = ["/proc", "/sys"];

/** The folder of a connector: every path is resolved here, and refused when it leads out of the file roots. */
export class Folder {
  readonly path: string;
  readonly #create: boolean;
  readonly #roots: readonly string[];
  readonly #closed: readonly string[];
  readonly #dataDir: string;

  constructor({ path, create = false }: FileConfig, { fileRoots, closedFolders = [], dataDir }: ConnectorContext) {
    this.path = resolve(path);
    this.#create = create;
    this.#roots = fileRoots;
    this.#closed = closedFolders;
    this.#dataDir = dataDir;
  }

  /** Makes the folder where that is configured; throws where it cannot be used. */
  async check(): Promise<void> {
    await this.#allow(this.path, "config.path");
    try {
      if (this.#create) await mkdir(this.path, { recursive: true });
      if (!(await stat(this.path)).isDirectory()) {
        throw new ConnectorError("VALIDATION_ERROR", `${this.path} is no folder.`, {
          fault: "destination",
          path: "config.path",
        });
      }
      await access(this.path, constants.R_OK | constants.X_OK);
    } catch (error) {
      throw fileError(error, this.path, "config.path");
    }
  }

  /** Real path of one file, there or not; errors name `setting`. */
  async fileAt(name: string, setting: string): Promise<string> {
    const path = normalize(name);
    if (name === "" || name.includes("\0") || isAbsolute(name) || path === ".." || path.startsWith(`..${sep}`)) {
      throw new ConnectorError("VALIDATION_ERROR", `"${name}" is no name of a file within ${this.path}.`, {
        fault: "destination",
        path: setting,
      });
    }
    return await this.#allow(join(this.path, path), setting);
  }

  /**
   * Names of the files that a source's stream means, sorted: the file of that name, else those that match it as a
   * glob. Names that begin with a dot are never matched. A stream that is no glob and not there is refused.
   */
  async find(stream: string): Promise<string[]> {
    const path = await this.fileAt(stream, "source.stream");
    const found = await stat(path).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw fileError(error, path, "source.stream");
    });
    if (found?.isFile()) return [stream];
    if (found) {
      throw new ConnectorError("VALIDATION_ERROR", `${path} is a folder; "${stream}/*" means the files in it.`, {
        fault: "destination",
        path: "source.stream",
      });
    }
    if (/[*?[{]/.test(stream)) return await this.#matches(stream);
    const near = nearest(basename(stream), await readdir(dirname(path)).catch(() => []));
    const hint = near === undefined ? "" : ` Did you mean "${join(dirname(stream), near)}"?`;
    throw new ConnectorError("NOT_FOUND", `${path} does not exist.${hint}`, {
      fault: "destination",
      path: "source.stream",
    });
  }

  /** Names of the files that stand directly in the folder. */
  async list(): Promise<string[]> {
    const entries = await readdir(this.path, { withFileTypes: true }).catch((error: unknown) => {
      throw fileError(error, this.path, "config.path");
    });
    return entries
      .filter((entry) => !entry.name.startsWith(".") && !entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  }

  async #matches(pattern: string): Promise<string[]> {
    const names: string[] = [];
    for await (const name of glob(pattern, { cwd: this.path })) {
      if (name.split(sep).some((part) => part.startsWith("."))) continue;
      const path = await this.fileAt(name, "source.stream");
      if ((await stat(path)).isFile()) names.push(name);
    }
    return names.sort();
  }

  /** The path with its links resolved. What does not exist yet is judged by the nearest folder that does. */
  async #allow(path: string, setting: string): Promise<string> {
    const real = await realpathOfNearest(path).catch((error: unknown) => {
      throw fileError(error, path, setting);
    });
    const own = (await below(this.#dataDir, real))?.split(sep)[0];
    const closed = await Promise.all([...systemFolders, ...this.#closed].map((folder) => below(folder, real)));
    if ((own !== undefined && isOwn(own)) || closed.some((way) => way !== undefined)) {
      throw new ConnectorError(
        "FORBIDDEN",
        `${path} is the product's own or the system's, which no connector may touch.`,
        {
          fault: "destination",
          path: setting,
        },
      );
    }
    for (const root of this.#roots) if ((await below(root, real)) !== undefined) return real;
    throw new ConnectorError(
      "FORBIDDEN",
      `${path} is not within the folders that file connectors may touch (${this.#roots.join(", ")}); SLUICE_FILE_ROOTS sets them.`,
      { fault: "destination", path: setting },
    );
  }
}

/** The way from a folder to a path within it, or undefined where it is not. */
async function below(folder: string, real: string): Promise<string | undefined> {
  const rest = relative(await realpath(folder).catch(() => folder), real);
  return rest !== ".." && !rest.startsWith(`..${sep}`) && !isAbsolute(rest) ? rest : undefined;
}

async function realpathOfNearest(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(path);
    if (!isMissing(error) || parent === path) throw error;
    return join(await realpathOfNearest(parent), basename(path));
  }
}
