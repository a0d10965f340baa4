import { RetryLaterError } from "./retry-later.ts";

/** No node serves what was asked for, at this moment: an owner has died, or one is about to begin. */
export class NobodyError extends RetryLaterError {}
