import { createValidator } from "../adapters/json-schema/index.ts";
import { serveSteps } from "../adapters/workers/index.ts";

/** The program of the worker threads (adapters/workers). */
serveSteps({ validator: createValidator() });
