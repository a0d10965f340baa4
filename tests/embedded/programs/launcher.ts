// Launches a program as bin/sluice.mjs does under a Node that cannot run it.
import { runChild } from "../../../scripts/launch.mjs";

runChild(process.execPath, process.argv.slice(2));
