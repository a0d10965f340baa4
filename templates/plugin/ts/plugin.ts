import { servePlugin } from "@sluice/connector-sdk/serve";
import { connector } from "./connector.ts";

await servePlugin(connector);
