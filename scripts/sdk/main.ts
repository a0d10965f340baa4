// node scripts/sdk/main.ts FOLDER: the package @sluice/connector-sdk as a .tgz, to publish or to install from a file.
import { packSdk } from "./build.ts";

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: node scripts/sdk/main.ts FOLDER");
process.stdout.write(`${await packSdk(folder)}\n`);
