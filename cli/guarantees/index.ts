export { type Guarantee, guaranteesOf, type Surroundings } from "./guarantees.ts";
export { promises } from "./promises.ts";
