// A built-in type as a plugin: built-in.ts TYPE.
import { connectorTypes } from "../../../cli/connector-types.ts";
import { servePlugin } from "../../../connectors/sdk/serve/index.ts";
import { expressions } from "../../../runtime/mapping/index.ts";

const type = connectorTypes.find((each) => each.type === process.argv[2]);
if (type === undefined) throw new Error(`there is no type ${process.argv[2]}`);
await servePlugin(type, { context: { expressions, allowAddresses: ["127.0.0.1", "::1"] } });
