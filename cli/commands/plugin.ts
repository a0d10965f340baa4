import { subcommand } from "../subcommand.ts";
import { certify, certifySyntax } from "./plugin-certify.ts";
import { newPlugin, newSyntax } from "./plugin-new.ts";
import { pluginRegistry } from "./plugin-registry.ts";

export const plugin = subcommand("plugin", "Registers, makes and tries connectors that are programs of their own.", {
  ...pluginRegistry,
  new: { summary: newSyntax.summary, run: newPlugin },
  certify: { summary: certifySyntax.summary, run: certify },
});
