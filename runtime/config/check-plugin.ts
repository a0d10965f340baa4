import type { Json } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";
import type { Validator } from "../ports/connectors.ts";
import { findReferences } from "./check-connector.ts";
import { object } from "./json-shape.ts";
import { pluginSchema } from "./plugin-schema.ts";
import { checkSize } from "./spec-size.ts";

/** Everything that can be known of a plugin without starting or reaching it. Paths are relative to the plugin. */
export function checkPlugin(plugin: Json, { validator }: { readonly validator: Validator }): FieldError[] {
  const size = checkSize(plugin);
  if (size.length > 0) return size;
  const errors = [...validator.compile(pluginSchema)(plugin)];
  const shaped = new Set(errors.map(({ path }) => path));
  const say = (path: string, message: string) => {
    if (!shaped.has(path)) errors.push({ path, message });
  };
  const { command, address, image, tls, memory, env } = object(plugin);
  if (command === undefined && address === undefined && image === undefined) {
    say("", "needs a command, an address or an image");
  }
  if (command !== undefined && address !== undefined) say("address", "is not for a plugin that has a command");
  if (command !== undefined && image !== undefined) say("image", "is not for a plugin that has a command");
  for (const [field, value] of Object.entries({ memory, env })) {
    if (value !== undefined && command === undefined) say(field, "is only for a plugin that has a command");
  }
  if (typeof address === "string" && tls === undefined && !isLocal(address)) {
    say(
      "tls",
      `is required: ${address} is not on this machine, and only TLS with certificates on both sides keeps it safe`,
    );
  }
  if (tls !== undefined && (address === undefined || String(address).startsWith("unix:"))) {
    say("tls", "is only for a plugin at an address HOST:PORT");
  }
  for (const name of Object.keys(object(env))) {
    if (!/^SLUICE_PLUGIN_[A-Z0-9_]+$/.test(name)) {
      say(`env.${name}`, "is refused: names begin with SLUICE_PLUGIN_, since others may choose which program runs");
    }
  }
  for (const { path, fault } of [...findReferences(tls, "tls"), ...findReferences(env, "env")]) {
    if (fault !== undefined) say(path, fault);
  }
  return errors;
}

/** A Unix socket, or loopback. */
function isLocal(address: string): boolean {
  return /^(unix:|localhost:|127(\.\d+){3}:|\[::1\]:)/.test(address);
}
