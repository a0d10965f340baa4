import { servePlugin } from "../../../connectors/sdk/serve/index.ts";
import { type Flaw, flawedType } from "../flawed-type.ts";

const flaw = process.env.SLUICE_TEST_FAULT as Flaw;
await servePlugin(flawedType(flaw));
if (flaw === "no end") {
  process.stdin.removeAllListeners("end");
  process.removeAllListeners("SIGTERM").on("SIGTERM", () => {});
}
