import { type Check, demand, demandSame, demandStated, errorOf, type Subject } from "./check.ts";
import { flawsOf, secretMembers, validatorOf } from "./schema.ts";

const idle = new AbortController().signal;
const semver = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;
/** Names of settings that nobody should read back. */
const soundsSecret = /(^|_)(password|passphrase|secret|token|api_?key|private_key|credentials?)$/i;

/** What every type is tried for: what it says of itself, check and discover. */
export const typeChecks: readonly Check[] = [
  {
    id: "spec.identity",
    title: "it says what it is",
    async run({ type, connector }) {
      const { source, destination, lookup, lifecycle } = type.capabilities;
      demand(/^[a-z][a-z0-9-]*$/.test(type.type), `"${type.type}" is no name of a type: [a-z][a-z0-9-]*`);
      demand(semver.test(type.version), `"${type.version}" is no semantic version such as 1.0.0`);
      demand(type.title !== "", "it has no title");
      demand(type.description.endsWith("."), `its description is no sentence: "${type.description}"`);
      demand(
        Boolean(source ?? destination ?? lookup),
        "it is neither source nor destination, and looks nothing up either",
      );
      for (const [name, modes] of Object.entries({ source: source?.modes, destination: destination?.modes })) {
        if (modes === undefined) continue;
        demand(modes.length > 0, `as a ${name} it has no mode`);
        demand(new Set(modes).size === modes.length, `as a ${name} it has a mode twice: ${modes.join(", ")}`);
      }
      demandSame(connector.openSource !== undefined, source !== undefined, "whether it can be read");
      demandSame(connector.openDestination !== undefined, destination !== undefined, "whether it can be written");
      demandSame(connector.lookup !== undefined, lookup !== undefined, "whether it looks anything up");
      if (lifecycle)
        demand(connector.created !== undefined, "it wants to be told of its life, and takes no call of it");
      return undefined;
    },
  },
  {
    id: "spec.config",
    title: "its config is a closed JSON Schema 2020-12 that describes every member",
    async run({ type, fixture }) {
      const valid = validatorOf(type.config);
      demand(valid(fixture.config), "its schema refuses a config that works");
      const flaws = [...flawsOf(type.config), ...flawsOf(type.capabilities.lookup?.request ?? true, "request")];
      demand(flaws.length === 0, flaws.join("; "));
      demand(!valid({ ...fixture.config, no_such_field: 1 }), "it takes a field of the config that it does not know");
      return undefined;
    },
  },
  {
    id: "spec.secrets",
    title: "what sounds secret in its config is writeOnly",
    async run({ type }) {
      const open = secretMembers(type.config).filter(({ name, isSecret }) => !isSecret && soundsSecret.test(name));
      demand(open.length === 0, `${open.map(({ path }) => path).join(", ")}: not writeOnly, so it would be shown`);
      return undefined;
    },
  },
  {
    id: "check.good",
    title: "a good config passes the check",
    async run({ connector }) {
      await connector.check(idle);
      return undefined;
    },
  },
  {
    id: "check.bad",
    title: "the check of a bad config names the setting",
    skip: ({ fixture }) => (fixture.badConfigs.length === 0 ? "no bad config is given" : undefined),
    async run(subject) {
      for (const { config, path } of subject.fixture.badConfigs) {
        demand(validatorOf(subject.type.config)(config), `the schema refuses the bad config for ${path}: give another`);
        const error = await refusalOf(subject, config, `the check of a config that is bad in ${path}`);
        demandStated(error, `the check of a config that is bad in ${path}`);
        demandSame(error.path, path, `the setting that the check names (${error.message})`);
      }
      return undefined;
    },
  },
  {
    id: "check.credential",
    title: "a wrong credential is refused as UNAUTHORIZED or FORBIDDEN, and is nobody's record's fault",
    needs: "more of the fixture",
    skip: ({ fixture }) => (fixture.badCredentials?.length ? undefined : "no wrong credential is given"),
    async run(subject) {
      for (const config of subject.fixture.badCredentials ?? []) {
        const error = await refusalOf(subject, config, "the check of a wrong credential");
        demandStated(error, "the check of a wrong credential");
        const code = error.code as string;
        demand(["UNAUTHORIZED", "FORBIDDEN"].includes(code), `a wrong credential is ${code}: ${error.message}`);
        demandSame(error.fault, "destination", "whose fault a wrong credential is");
      }
      return undefined;
    },
  },
  {
    id: "discover.streams",
    title: "discover gives streams with names of their own and JSON Schemas",
    async run({ connector }) {
      const streams = await connector.discover(idle);
      const names = streams.map(({ name }) => name);
      demand(!names.includes(""), "a stream has no name");
      demand(new Set(names).size === names.length, `a stream is there twice: ${names.join(", ")}`);
      for (const { name, schema } of streams) {
        try {
          validatorOf(schema);
        } catch (error) {
          demand(false, `the schema of stream ${name} is none: ${(error as Error).message}`);
        }
      }
      return { streams: streams.length };
    },
  },
  {
    id: "lookup.answers",
    title: "a look-up has an answer for each request, in their order",
    needs: "more of the fixture",
    skip: noLookup,
    async run({ connector, fixture }) {
      const { requests, answers } = fixture.lookup!;
      const found = await connector.lookup!(requests, idle);
      demandSame(found.failed ?? [], [], "look-ups that failed");
      demandSame(found.answers, answers, "the answers");
      const backwards = await connector.lookup!(requests.toReversed(), idle);
      demandSame(backwards.answers, answers.toReversed(), "the answers to the same requests in another order");
      return undefined;
    },
  },
  {
    id: "lookup.refused",
    title: "a request that is refused fails alone, or is said to be at fault",
    needs: "more of the fixture",
    skip: (subject) =>
      noLookup(subject) ??
      (subject.fixture.lookup?.refused === undefined ? "no request is given that is refused" : undefined),
    async run({ connector, fixture }) {
      const { requests, answers, refused } = fixture.lookup!;
      try {
        const found = await connector.lookup!([requests[0]!, refused!, ...requests.slice(1)], idle);
        const failed = (found.failed ?? []).map(({ index }) => index);
        demandSame(failed, [1], "the requests that failed");
        demandSame(found.answers, [answers[0], null, ...answers.slice(1)], "the answers to the others");
      } catch (error) {
        // It may answer none, where it says that a request is at fault: the others are asked for again.
        const { fault, message } = error as { [name: string]: unknown };
        demandSame(fault, "record", `whose fault a request is that is refused (${message})`);
        demandSame(
          (await connector.lookup!(requests, idle)).answers,
          answers,
          "the answers to the others, asked again",
        );
      }
      return undefined;
    },
  },
  {
    id: "lifecycle.again",
    title: "it may be told twice that a connector was made, changed or deleted",
    needs: "more of the fixture",
    skip: ({ type }) => (type.capabilities.lifecycle ? undefined : "it does not want to be told of its life"),
    async run({ connector, fixture }) {
      for (let time = 0; time < 2; time++) await connector.created!(idle);
      for (let time = 0; time < 2; time++) await connector.updated!(fixture.config, idle);
      for (let time = 0; time < 2; time++) await connector.deleted!(idle);
      return undefined;
    },
  },
];

function noLookup({ type, fixture }: Subject): string | undefined {
  if (!type.capabilities.lookup) return "it looks nothing up";
  return fixture.lookup === undefined ? "no look-up is given" : undefined;
}

async function refusalOf({ type, fixture }: Subject, config: Subject["fixture"]["config"], what: string) {
  const bad = type.create(config, fixture.context);
  try {
    return await errorOf(bad.check(idle), what);
  } finally {
    await bad.close();
  }
}
