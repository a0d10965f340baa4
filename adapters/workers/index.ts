export { createWorkerPool } from "./pool.ts";
export { serveSteps } from "./serve.ts";
