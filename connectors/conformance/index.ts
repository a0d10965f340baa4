export { describeConnector } from "./describe-connector.ts";
export type { DestinationFixture, Fixture, SourceFixture } from "./fixture.ts";
export { idsOf, readAll, recordsOf, textsOf } from "./read.ts";
