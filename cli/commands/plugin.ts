import { subcommand } from "../subcommand.ts";
import { certify, certifySyntax } from "./plugin-certify.ts";

export const plugin = subcommand("plugin", "Makes and tries connectors that are programs of their own.", {
  certify: { summary: certifySyntax.summary, run: certify },
});
