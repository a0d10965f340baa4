export { circuitStates } from "./circuits.ts";
export { type ConsumerFigures, type GraphFigures, graphOf, sourceKey } from "./graph.ts";
