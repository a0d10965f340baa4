import type { ResolvedDestination, ResolvedIntegration } from "../../runtime/config/index.ts";
import { connectorTypes } from "../connector-types.ts";
import { effectOf } from "./effect.ts";
import type { promises } from "./promises.ts";

/** What proves a promise in the fault suite. */
export interface Shown {
  /** `npm run chaos -- --only SCENARIO`; empty where other tests alone hold the promise. */
  readonly scenarios: readonly string[];
  /** `--load LOAD`: the one whose destinations promise the same; null where any will do. */
  readonly load: string | null;
}

/** What of an integration decides which scenarios are about it. */
export interface Traits {
  /** Types of the destinations that it is about. */
  readonly types: readonly (string | undefined)[];
  readonly ordering: ResolvedIntegration["delivery"]["ordering"];
  readonly nats: "embedded" | "replicated" | "external" | "elsewhere";
}

const networkOf = (leg: string) =>
  ["partition", "latency", "bandwidth", "resets", "half-open"].map((f) => `${f}-${leg}`);
const kills = ["kill-node", "kill-nats", "kill-postgres"];
/** A type that does not come with sluice is a plugin's. */
const plugins = ({ types }: Traits) =>
  types.every((type) => connectorTypes.some((known) => known.type === type)) ? [] : ["kill-plugin"];
const crashes = ["crash-append", "crash-write", "crash-commit", "crash-nats", "crash-postgres"];
const pauses = ["pause-node", "pause-nats", "pause-postgres"];
const cluster = ["server", "leader", "meta-leader", "connected", "partition", "pause"].map((each) => `cluster-${each}`);

const clustered = ({ nats }: Traits) => (nats === "replicated" ? cluster : []);
/** Of the destinations that the suite reaches over a network. */
const network = ({ types }: Traits) => [
  ...(types.includes("postgres") ? networkOf("destination") : []),
  ...(types.includes("http")
    ? ["cut", "silent", "busy", "forbidden", "kill", "stop"].map((each) => `http-${each}`)
    : []),
];
const full = ({ nats }: Traits) => [nats === "embedded" ? "disk-full-node" : "disk-full-nats", "disk-full-postgres"];
/** What breaks while a batch is on its way. */
const onTheWay = (traits: Traits) => [...kills, ...crashes, ...network(traits), ...clustered(traits), "everything"];

/** By promise; what is left out is held by other tests alone. */
const scenariosOf: { readonly [promise in keyof typeof promises]?: (traits: Traits) => readonly string[] } = {
  atLeastOnce: (traits) => [
    ...kills,
    ...plugins(traits),
    ...crashes,
    ...networkOf("nats"),
    ...networkOf("store"),
    ...network(traits),
    ...pauses,
    ...clustered(traits),
    ...full(traits),
    "everything",
  ],
  exactlyOnce: onTheWay,
  repeats: onTheWay,
  order: (traits) => (traits.ordering === "none" ? [] : onTheWay(traits)),
  destinationsFault: network,
  counts: (traits) => [...crashes, ...kills, ...clustered(traits), "everything"],
  cursor: (traits) => ["kill-node", "crash-append", "failover", ...clustered(traits)],
  oneOwner: (traits) => ["pause-node", "cut-off-owner", "failover", ...clustered(traits)],
  nodes: () => ["failover", "drain", "rolling-restart", "cut-off-owner"],
  lostData: ({ types }) => [
    "nats-data-lost-down",
    "nats-data-lost-up",
    ...(types.length > 1 ? ["deliver-log-lost", "deliver-log-older"] : []),
    "nats-data-older",
    "nats-data-older-up",
    "postgres-older-down",
    "postgres-older-up",
  ],
  durability: (traits) =>
    traits.nats === "replicated" ? [...cluster, "kill-postgres"] : ["kill-nats", "kill-postgres", ...full(traits)],
};

export function scenariosFor(promise: keyof typeof promises, traits: Traits): readonly string[] {
  return scenariosOf[promise]?.(traits) ?? [];
}

/** The load whose destinations make the same of records that come again. */
export function loadLike(
  destination: ResolvedDestination,
  type: string | undefined,
  integration: ResolvedIntegration,
): string {
  if (!effectOf(destination, type, integration).once) return "append";
  if (destination.mode !== "append") return "upsert";
  return type === "file" ? "strict" : "idempotent";
}
