import { plants } from "./plants.ts";

const reference = (text: string) => `\${${text}}`;

/** Connectors with secrets in all places where one may be, by name. `url` is of the server that quotes them. */
export function plantedConnectors(url: string, databasePort: number): Record<string, { type: string; config: object }> {
  const http = (config: object) => ({ type: "http", config: { base_url: url, ...config } });
  const streams = Object.fromEntries(
    ["records", "fail", "html", "half"].map((name) => [name, { path: `/${name}`, pagination: { type: "none" } }]),
  );
  const land = {
    land: {
      append: {
        path: "/land",
        batch: { records: 10 },
        results: { path: "$.results", status: "$.ok", message: "$.error" },
      },
    },
  };
  return {
    basic: http({
      auth: { type: "basic", username: "etl", password: plants["a password in a config"] },
      headers: { "X-Own": plants["a header in a config"] },
      streams: { ...streams, ...land },
    }),
    query: http({
      auth: { type: "api_key", in: "query", name: "key", value: reference("env:SLUICE_SECRET_PLANT") },
      streams: { ...streams, ...land },
    }),
    file: http({ auth: { type: "bearer", token: reference("file:plant") }, streams }),
    vault: http({
      auth: { type: "bearer", token: reference("vault:secret/sluice/plant#token") },
      streams: { ...streams, ...land },
    }),
    oauth: http({
      auth: {
        type: "oauth2_client_credentials",
        token_url: `${url}/token`,
        client_id: "etl",
        client_secret: plants["an OAuth client's secret"],
      },
      streams,
    }),
    url: {
      type: "postgres",
      config: { url: `postgres://sluice:${plants["the password in a URL"]}@127.0.0.1:${databasePort}/sluice` },
    },
    rude: { type: "rude", config: { password: plants["a password of a plugin's connector"] } },
    hole: { type: "blackhole", config: {} },
  };
}

/** Integrations in which the server, or the plugin, quotes them in each way to fail. */
export function plantedIntegrations(): { name: string; [field: string]: unknown }[] {
  const into = { connector: "hole", stream: "any" };
  const retry = { max_attempts: 1 };
  const failing = ["basic", "query", "file", "vault"].flatMap((connector) =>
    ["fail", "html", "half"].map((stream) => ({
      name: `${connector}-${stream}`,
      source: { connector, stream },
      destination: into,
      delivery: { retry },
    })),
  );
  const landing = ["basic", "query", "vault"].map((connector) => ({
    name: `${connector}-lands`,
    source: { connector: "basic", stream: "records" },
    destination: { connector, stream: "land" },
    delivery: { retry },
  }));
  const looks = {
    name: "looks",
    source: { connector: "basic", stream: "records" },
    destination: into,
    pipeline_spec: {
      steps: [
        {
          id: "city",
          type: "enrich",
          connector: "query",
          request: {
            path: "/cities/{{ $.city }}",
            headers: { "X-Look": reference("env:SLUICE_SECRET_ENRICH") },
          },
          merge_at: "place",
        },
      ],
    },
    delivery: { retry },
  };
  const plugin = [
    { name: "rude-reads", source: { connector: "rude", stream: "any" }, destination: into, delivery: { retry } },
    {
      name: "rude-lands",
      source: { connector: "basic", stream: "records" },
      destination: { connector: "rude", stream: "any" },
      delivery: { retry },
    },
  ];
  const denied = ["oauth", "url"].map((connector) => ({
    name: `${connector}-denied`,
    source: { connector, stream: "records" },
    destination: into,
    delivery: { retry },
  }));
  return [...failing, ...landing, looks, ...plugin, ...denied];
}
