export { describeConnector } from "./describe-connector.ts";
export type { DestinationFixture, Fixture, LookupFixture, SourceFixture } from "./fixture.ts";
export { recordsOf, textsOf } from "./read.ts";
