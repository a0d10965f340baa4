// A built-in type as a plugin, by another name where one is given: built-in.ts TYPE [NAME].
import { connectorTypes } from "../../../cli/connector-types.ts";
import { servePlugin } from "../../../connectors/sdk/serve/index.ts";
import { expressions } from "../../../runtime/mapping/index.ts";

const [asked, name = asked] = process.argv.slice(2);
const type = connectorTypes.find((each) => each.type === asked);
if (type === undefined || name === undefined) throw new Error(`there is no type ${asked}`);
await servePlugin({ ...type, type: name }, { context: { expressions, allowAddresses: ["127.0.0.1", "::1"] } });
