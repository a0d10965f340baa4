export { checkTestFile, checkTests } from "./check-tests.ts";
export { type Difference, isLike } from "./differences.ts";
export { type DestinationOutcome, judge, type Outcome } from "./judge.ts";
export {
  type Call,
  type Crash,
  type Duplicate,
  type FailingCall,
  type GivenRecords,
  givenTo,
  type LookupAnswer,
  nameOf,
  type TestCase,
  type TestFile,
} from "./test-case.ts";
export { publishedTestSchema } from "./test-schema.ts";
