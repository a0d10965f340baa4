import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../config/index.ts";
import { type FieldError, formatPath, joinPath, messageOf, type Segment, unknownName } from "../errors/index.ts";
import { compilePredicate } from "../mapping/index.ts";
import type { Validator } from "../ports/connectors.ts";
import { sourceNames, type TestCase, type TestFile } from "./test-case.ts";
import { testSchema } from "./test-schema.ts";

/** What is wrong with the shape of a test file. */
export function checkTestFile(value: Json, validator: Validator): readonly FieldError[] {
  return validator.compile(testSchema)(value);
}

/** What is wrong with tests of a configuration, both of which are of the right shape. */
export function checkTests({ tests }: TestFile, integrations: ReadonlyMap<string, JsonObject>): readonly FieldError[] {
  const names = tests.map(({ name }) => name);
  return tests.flatMap((test, index) => {
    const at = `tests[${index}]`;
    const spec = integrations.get(test.integration);
    const errors = spec
      ? checkTest(test, spec)
      : [{ path: "integration", message: unknownName("integration", test.integration, [...integrations.keys()]) }];
    if (names.indexOf(test.name) < index) errors.push({ path: "name", message: "another test has this name" });
    return errors.map(({ path, message }) => ({ path: joinPath(at, path), message }));
  });
}

function checkTest({ given, lookups, faults = {}, expect }: TestCase, spec: JsonObject): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (path: readonly Segment[], message: string) => errors.push({ path: formatPath(path), message });
  const { sources, destinations, steps } = resolveIntegration(spec);
  const streams = sources.flatMap(sourceNames);
  const ids = destinations.map(({ id }) => id);

  const known = (path: readonly Segment[], kind: string, name: string | undefined, names: readonly string[]) => {
    if (name !== undefined && !names.includes(name)) refuse(path, unknownName(kind, name, names));
  };
  const knownKeys = (path: readonly Segment[], kind: string, by: object | undefined, names: readonly string[]) => {
    for (const name of Object.keys(by ?? {})) known([...path, name], kind, name, names);
  };
  const predicate = (path: readonly Segment[], source: string) => {
    try {
      compilePredicate(source);
    } catch (error) {
      refuse(path, messageOf(error));
    }
  };

  if (sources.length === 0) {
    refuse(["integration"], "has no source: what records are pushed into cannot be tested in this version");
  } else if ((given.records === undefined) === (given.streams === undefined)) {
    refuse(["given"], "needs records or streams, and not both");
  } else if (given.records && sources.length > 1) {
    refuse(["given", "records"], `the integration has several sources: give streams (${streams.join(", ")})`);
  }
  knownKeys(["given", "streams"], "stream", given.streams, streams);
  if (Number.isNaN(Date.parse(given.at ?? "2026-01-01"))) refuse(["given", "at"], "is no time");

  const lookers = ((spec.pipeline_spec as JsonObject | undefined)?.steps ?? []) as readonly JsonObject[];
  const connectors = lookers.filter(({ type }) => type === "enrich").map(({ connector }) => String(connector));
  for (const [name, answers] of Object.entries(lookups ?? {})) {
    if (connectors.length === 0) refuse(["lookups", name], "the integration has no enrich step");
    else known(["lookups", name], "connector of an enrich step", name, connectors);
    for (const [index, { answer, fail }] of answers.entries()) {
      if ((answer === undefined) === (fail === undefined))
        refuse(["lookups", name, index], "needs answer or fail, and not both");
    }
  }

  knownKeys(["faults", "sources"], "stream", faults.sources, streams);
  knownKeys(["faults", "destinations"], "destination", faults.destinations, ids);
  for (const [id, { records }] of Object.entries(faults.destinations ?? {})) {
    records?.forEach(({ where }, index) => {
      predicate(["faults", "destinations", id, "records", index, "where"], where);
    });
  }
  faults.crashes?.forEach(({ before, destination }, index) => {
    const path = ["faults", "crashes", index, "destination"];
    if (before === "commit" && destination !== undefined)
      refuse(path, "a commit holds what all destinations have settled");
    known(path, "destination", destination, ids);
  });
  faults.duplicates?.forEach(({ destination }, index) => {
    const path = ["faults", "duplicates", index, "destination"];
    if (destination !== undefined && ids.length === 1) refuse(path, "one destination alone has no log of its own");
    else known(path, "destination", destination, ids);
  });

  knownKeys(["expect", "outputs"], "destination", expect.outputs, ids);
  for (const [id, output] of Object.entries(expect.outputs ?? {})) {
    if (Array.isArray(output)) continue;
    for (const option of ["order", "duplicates"] as const) {
      if (option in output && !("records" in output))
        refuse(["expect", "outputs", id, option], "says how records are compared; records is missing");
    }
  }
  expect.dead_letters?.forEach(({ step, destination }, index) => {
    known(
      ["expect", "dead_letters", index, "step"],
      "step",
      step,
      steps.map(({ id }) => id),
    );
    known(["expect", "dead_letters", index, "destination"], "destination", destination, ids);
  });
  knownKeys(["expect", "attempts"], "destination", expect.attempts, ids);
  for (const [id, tries] of Object.entries(expect.attempts ?? {})) {
    if (typeof tries === "number") continue;
    tries.forEach(({ where }, index) => {
      predicate(["expect", "attempts", id, index, "where"], where);
    });
  }
  return errors;
}
