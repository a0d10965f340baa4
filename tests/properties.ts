import fc from "fast-check";

/** Of all that tests draw by chance; vitest.config.ts sets it where nobody did. */
const { SLUICE_TEST_SEED } = process.env;

fc.configureGlobal({ seed: Number(SLUICE_TEST_SEED) });
