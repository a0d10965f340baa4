import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { ConnectorError, type Destination, type DestinationOptions } from "../sdk/index.ts";
import { AppendDestination } from "./append-destination.ts";
import { type FileConfig, formatOf, isWrittenGzip } from "./config.ts";
import { fileError, isMissing } from "./file-error.ts";
import type { Folder } from "./folder.ts";
import { ReplaceDestination } from "./replace-destination.ts";

/** Opens a file for a run; throws where it cannot be written. */
export async function openFileDestination(
  config: FileConfig,
  folder: Folder,
  options: DestinationOptions,
): Promise<Destination> {
  const { stream, mode } = options;
  if (/[*?]/.test(stream)) throw refused("destination.stream", `"${stream}" is no name of one file.`);
  const path = await folder.fileAt(stream, "destination.stream");
  const found = await stat(path)
    .catch(async (error: unknown) => {
      if (isMissing(error)) await stat(dirname(path));
      else throw error;
    })
    .catch((error: unknown) => {
      throw fileError(error, dirname(path), "destination.stream");
    });
  if (found?.isDirectory()) throw refused("destination.stream", `${path} is a folder.`);
  const target = { path, format: formatOf(config, stream), isGzip: isWrittenGzip(config, stream) };
  if (mode !== "append" && mode !== "replace")
    throw refused("destination.mode", `A file is written by append or replace, not by ${mode}.`);
  if (mode === "append" && target.isGzip && target.format === "json") {
    throw refused("destination.mode", "A gzipped JSON array cannot be appended to; use replace, or format ndjson.");
  }
  const type = mode === "append" ? AppendDestination : ReplaceDestination;
  return await type.open(target, options).catch((error: unknown) => {
    throw fileError(error, path, "destination.stream");
  });
}

function refused(path: string, message: string): ConnectorError {
  return new ConnectorError("VALIDATION_ERROR", message, { fault: "destination", path });
}
