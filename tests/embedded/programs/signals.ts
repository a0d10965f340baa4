// Says what signals it gets, until SIGTERM.
import { exitWithParent } from "../../../adapters/embedded/parent.ts";

exitWithParent();
process.on("SIGINT", () => console.log("SIGINT"));
process.on("SIGTERM", () => process.exit(7));
setInterval(() => undefined, 1_000);
console.log(process.pid);
