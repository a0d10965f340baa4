import { kills } from "./kills.ts";
import { lostData } from "./lost-data.ts";
import { network } from "./network.ts";
import { nodes } from "./nodes.ts";
import type { Scenario } from "./scenario.ts";

/** The whole suite, in the order of its table. */
export const scenarios: readonly Scenario[] = [...kills, ...network, ...nodes, ...lostData];
