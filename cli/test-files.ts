import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { checkCron } from "../adapters/cron/index.ts";
import { createValidator } from "../adapters/json-schema/index.ts";
import type { JsonObject } from "../connectors/sdk/index.ts";
import { checkConfig, type ResolvedSource } from "../runtime/config/index.ts";
import type { FieldError } from "../runtime/errors/index.ts";
import { messageOf } from "../runtime/errors/index.ts";
import { type FieldPath, parseFieldPath } from "../runtime/mapping/index.ts";
import {
  checkTestFile,
  checkTests,
  type GivenRecords,
  givenTo,
  type TestCase,
  type TestFile,
} from "../runtime/testing/index.ts";
import { type ConfigFile, type FileFinding, type Position, readConfigFile, readConfiguration } from "./config-file.ts";
import { knownTypes } from "./server-plugins.ts";

/** A test with what it needs to run. */
export interface LoadedTest {
  readonly file: string;
  readonly test: TestCase;
  /** Its integration, as configured. */
  readonly spec: JsonObject;
  /** JSON texts of the records that a source has. */
  texts(source: ResolvedSource): readonly string[];
  /** Where a part of the test stands; paths begin at the test. */
  locate(path: string): Position;
}

const testFile = /\.test\.(?:ya?ml|json)$/;

/** The files, and of a folder all tests in it. */
export function findTestFiles(given: readonly string[]): string[] {
  return given.flatMap((file) => {
    if (!statSync(file, { throwIfNoEntry: false })?.isDirectory()) return [file];
    const names = readdirSync(file, { recursive: true, encoding: "utf8" });
    return names
      .filter((name) => testFile.test(name) && !/(^|[\\/])node_modules[\\/]/.test(name))
      .sort()
      .map((name) => path.join(file, name));
  });
}

/** Reads a test file and the configuration that it is about. */
export async function loadTests(
  file: string,
): Promise<readonly LoadedTest[] | { readonly errors: readonly FileFinding[] }> {
  const read = readConfigFile(file);
  if ("errors" in read) return read;
  const validator = createValidator();
  const place = (errors: readonly FieldError[]) => ({
    errors: errors.map((error) => ({ ...locate(read, error.path), ...error })),
  });
  const faults = checkTestFile(read.value, validator);
  if (faults.length > 0) return place(faults);
  const tests = read.value as unknown as TestFile;

  const config = tests.config === undefined ? besides(file) : path.resolve(path.dirname(file), tests.config);
  if (config === undefined) {
    return place([{ path: "config", message: `is required: there is no ${stem(file)}.yaml beside this file` }]);
  }
  const integrations = await readIntegrations(path.relative("", config) || config);
  if ("errors" in integrations) return integrations;
  const wrong = checkTests(tests, integrations.byName);
  if (wrong.length > 0) return place(wrong);

  const errors: FieldError[] = [];
  const texts = new Map<GivenRecords, readonly string[]>();
  const keep = (given: GivenRecords, at: string) => {
    try {
      texts.set(given, textsOf(given, path.dirname(file)));
    } catch (error) {
      errors.push({ path: at, message: messageOf(error) });
    }
  };
  tests.tests.forEach(({ given: { records, streams = {} } }, index) => {
    if (records) keep(records, `tests[${index}].given.records`);
    for (const given of Object.values(streams)) keep(given, `tests[${index}].given.streams`);
  });
  if (errors.length > 0) return place(errors);

  return tests.tests.map((test, index) => ({
    file,
    test,
    spec: integrations.byName.get(test.integration) as JsonObject,
    texts: (source) => texts.get(givenTo(source, test)) ?? [],
    locate: (at) => locate(read, `tests[${index}]${at === "" || at.startsWith("[") ? "" : "."}${at}`),
  }));
}

/** A file's name without `.test.yaml`. */
const stem = (file: string): string => path.basename(file).replace(testFile, "");

/** `shop.yaml` beside `shop.test.yaml`. */
function besides(file: string): string | undefined {
  const candidates = ["yaml", "yml", "json"].map((kind) => path.resolve(path.dirname(file), `${stem(file)}.${kind}`));
  return candidates.find((each) => each !== path.resolve(file) && statSync(each, { throwIfNoEntry: false })?.isFile());
}

async function readIntegrations(
  file: string,
): Promise<{ readonly byName: Map<string, JsonObject> } | { readonly errors: readonly FileFinding[] }> {
  const config = readConfiguration([file]);
  if ("errors" in config) return config;
  const { errors } = checkConfig(config.value, {
    validator: createValidator(),
    types: (await knownTypes(config.value)).types,
    existing: new Map(),
    pluginsUnasked: true,
    allConnectorsKnown: Array.isArray(config.value.connectors),
    checkCron,
  });
  if (errors.length > 0) return { errors: errors.map((error) => ({ ...config.locate(error.path), ...error })) };
  const integrations = (config.value.integrations ?? []) as readonly JsonObject[];
  return { byName: new Map(integrations.map(({ name, enabled, ...spec }) => [name as string, spec])) };
}

/** A file's lines are given as they stand, so that a test can show what becomes of one that is no JSON. */
function textsOf(given: GivenRecords, folder: string): readonly string[] {
  if (!("file" in given)) return given.map((record) => JSON.stringify(record));
  const lines = readFileSync(path.resolve(folder, given.file), "utf8").split(/\r?\n/);
  return lines.filter((line) => line.trim() !== "");
}

function locate(file: ConfigFile, at: string): Position {
  let path: FieldPath = [];
  try {
    path = at === "" ? [] : parseFieldPath(at);
  } catch {
    // The whole file stands for what cannot be pointed at.
  }
  return file.locate(path);
}
