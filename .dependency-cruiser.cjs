// Who may import whom (ARCHITECTURE.md). Type-only imports count, save those of the connector SDK's types, which are
// the words that all parts share.
const OURS = "^(runtime|actors|adapters|connectors|gateway|console|cli|bench|tests|scripts|bin)/";
const SDK = "^connectors/sdk/";

/** Files below `from` may import, of ours, what matches `allowed`. */
function only(name, from, allowed, comment) {
  return {
    name,
    comment,
    severity: "error",
    from: { path: from, pathNot: "\\.test\\.ts$" },
    to: { path: OURS, pathNot: allowed },
  };
}

/** Types of the SDK may be imported from anywhere, its code (ConnectorError) only where connectors are called. */
function noCodeOf(name, from, path) {
  return {
    name,
    severity: "error",
    from: { path: from, pathNot: "\\.test\\.ts$" },
    to: { path, dependencyTypesNot: ["type-only"] },
  };
}

module.exports = {
  forbidden: [
    { name: "no-cycles", comment: "Of types neither.", severity: "error", from: {}, to: { circular: true } },
    {
      name: "resolvable",
      comment: "An import that leads nowhere would not be checked at all.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    only(
      "runtime-is-the-kernel",
      "^runtime/",
      ["^runtime/", SDK],
      "runtime imports nothing of ours but types of connectors/sdk.",
    ),
    noCodeOf("runtime-takes-only-types-of-the-sdk", "^runtime/", SDK),
    {
      name: "runtime-has-no-vendor",
      comment: "rxjs, json-p3 and Node's own modules.",
      severity: "error",
      from: { path: "^runtime/", pathNot: "\\.test\\.ts$" },
      to: { path: "node_modules/", pathNot: "node_modules/(rxjs|json-p3)/" },
    },
    only("adapters-import-runtime", "^adapters/([^/]+)/", ["^adapters/$1/", "^runtime/", SDK]),
    noCodeOf("adapters-take-only-types-of-the-sdk", "^adapters/", SDK),
    only("actors-import-runtime", "^actors/", ["^actors/", "^runtime/", SDK]),
    only("the-sdk-stands-alone", SDK, [SDK]),
    only("connectors-import-the-sdk", "^connectors/([^/]+)/", ["^connectors/$1/", SDK]),
    only("gateway-imports-runtime", "^gateway/", ["^gateway/", "^runtime/", "^actors/", SDK]),
    // What the HTTP binding of CloudEvents says, it says to whoever sends and whoever receives.
    noCodeOf("gateway-takes-only-types-of-actors-and-the-sdk", "^gateway/", [
      "^actors/",
      "^connectors/sdk/(?!cloudevents)",
    ]),
    {
      name: "console-imports-only-types",
      comment: "It knows the API, and nothing of who serves it.",
      severity: "error",
      from: { path: "^console/src/", pathNot: "\\.test\\.ts$" },
      to: { path: OURS, pathNot: "^console/src/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "nobody-imports-console",
      comment: "The gateway serves what is built of it.",
      severity: "error",
      from: { pathNot: "^console/" },
      to: { path: "^console/" },
    },
    {
      name: "nobody-imports-cli",
      comment: "scripts/docs shows the connector types that the product comes with.",
      severity: "error",
      from: { pathNot: "^(cli|tests|bench|scripts/docs)/" },
      to: { path: "^cli/" },
    },
    {
      name: "nobody-imports-tests",
      comment: "scripts/verify sees to what they need.",
      severity: "error",
      from: { pathNot: ["^(tests|bench|scripts/verify)/", "\\.test\\.ts$"] },
      to: { path: ["^(tests|bench)/", "\\.test\\.ts$"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "types"] },
  },
};
