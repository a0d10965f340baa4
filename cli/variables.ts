/** A variable of the environment, as docs/reference.md tells of it. */
interface Variable {
  readonly means: string;
  /** What it is where it is not set; left out: nothing. */
  readonly unset?: string;
}

interface VariableGroup {
  /** Where more is said. */
  readonly page: string;
  readonly variables: { readonly [name: string]: Variable };
}

/** All that a node and the command line read from the environment; an empty text counts as not set. */
export const variables: { readonly [group: string]: VariableGroup } = {
  "Folders, servers and ports": {
    page: "cli.md",
    variables: {
      SLUICE_DATA_DIR: { means: "The data folder.", unset: "`.sluice` in the working directory" },
      SLUICE_NATS_URL: {
        means: "nats-servers to use, separated by commas, instead of the embedded one.",
        unset: "embedded",
      },
      SLUICE_NATS_REPLICAS: {
        means: "Copies of each log, from 1 to 5.",
        unset: "3 in a cluster of nats-servers, else 1",
      },
      SLUICE_DATABASE_URL: { means: "Postgres to use instead of the embedded one.", unset: "embedded" },
      SLUICE_HTTP_PORT: { means: "Port of REST, console and hooks; 0: a free one.", unset: "7400" },
      SLUICE_GRPC_PORT: { means: "Port of gRPC; 0: a free one.", unset: "7401, or a free one" },
      SLUICE_NATS_PORT: { means: "Port of the embedded nats-server; 0: a free one.", unset: "7422" },
      SLUICE_POSTGRES_PORT: { means: "Port of the embedded Postgres; 0: a free one.", unset: "7432" },
    },
  },
  "What connectors and plugins may reach": {
    page: "configuration.md",
    variables: {
      SLUICE_FILE_ROOTS: {
        means: "Folders that `file` connectors may touch, separated as in PATH.",
        unset: "the working directory and the data folder",
      },
      SLUICE_PLUGIN_ROOTS: {
        means: "Folders whose programs plugins may be, separated as in PATH.",
        unset: "`plugins` in the data folder",
      },
      SLUICE_ALLOW_ADDRESSES: {
        means: "Addresses and CIDRs that outgoing HTTP may reach besides public ones, separated by commas.",
      },
      SLUICE_KAFKA_BROKERS: { means: "Brokers of `kafka` connectors that name none, separated by commas." },
    },
  },
  "Addresses, TLS and other origins": {
    page: "network.md",
    variables: {
      SLUICE_HOST: { means: "Address that REST and gRPC listen on.", unset: "127.0.0.1" },
      SLUICE_TLS_CERT: { means: "File with the servers' certificate, in PEM." },
      SLUICE_TLS_KEY: { means: "File with its key." },
      SLUICE_TLS_MIN_VERSION: { means: "`TLSv1.2` or `TLSv1.3`.", unset: "`TLSv1.2`" },
      SLUICE_TLS_CLIENT_CA: { means: "File with the authorities of clients: set, each needs a certificate." },
      SLUICE_CORS_ORIGINS: { means: "Origins whose pages may call the API, separated by commas." },
    },
  },
  "Who may call": {
    page: "access.md",
    variables: {
      SLUICE_RATE_LIMIT: { means: "Requests a minute and key, on each node.", unset: "6000" },
      SLUICE_RATE_LIMIT_ANONYMOUS: { means: "The same for an address without a valid token.", unset: "600" },
      SLUICE_OIDC_ISSUER: { means: "Issuer whose tokens are taken besides API keys." },
      SLUICE_OIDC_AUDIENCE: { means: "Audience of tokens that are for sluice; needed with an issuer." },
      SLUICE_OIDC_ROLE_CLAIM: { means: "Claim with the role or the groups.", unset: "`roles`" },
      SLUICE_OIDC_ROLES: { means: "The role that a group gives: `GROUP=ROLE; …`.", unset: "roles by their own names" },
      SLUICE_OIDC_SCOPE_CLAIM: { means: "Claim that narrows the role down." },
      SLUICE_OIDC_OWNER_CLAIM: { means: "Claim with the team." },
    },
  },
  "Secrets and Vault": {
    page: "secrets.md",
    variables: {
      SLUICE_SECRET_NAME: { means: "A secret for references of the form `env:` in a configuration; NAME is any." },
      SLUICE_MASTER_KEY: {
        means: "32 bytes in base64 that seal what is stored, or several, the newest first.",
        unset: "a file in the data folder",
      },
      SLUICE_SECRETS_REFRESH: { means: "How often references in use are looked up again.", unset: "`30s`" },
      SLUICE_VAULT_ADDR: { means: "Address of Vault." },
      SLUICE_VAULT_TOKEN: { means: "Its token." },
      SLUICE_VAULT_TOKEN_FILE: { means: "File that has the token.", unset: "`~/.vault-token`" },
      SLUICE_VAULT_ROLE_ID: { means: "Log in by AppRole." },
      SLUICE_VAULT_SECRET_ID: { means: "AppRole's secret id." },
      SLUICE_VAULT_SECRET_ID_FILE: { means: "File that has it." },
      SLUICE_VAULT_KUBERNETES_ROLE: { means: "Log in by the pod's service account." },
      SLUICE_VAULT_KUBERNETES_TOKEN_FILE: {
        means: "File with the account's token.",
        unset: "where Kubernetes puts it",
      },
      SLUICE_VAULT_AUTH_MOUNT: { means: "Where that method is mounted.", unset: "`approle` or `kubernetes`" },
      SLUICE_VAULT_PATHS: { means: "What references may reach, separated by commas.", unset: "`secret/sluice`" },
      SLUICE_VAULT_CACERT: { means: "File with the certificates that sign Vault's own." },
      SLUICE_VAULT_NAMESPACE: { means: "Namespace of Vault Enterprise." },
      SLUICE_VAULT_TRANSIT_KEY: { means: "Transit key, or `MOUNT/NAME`, that seals what is stored." },
    },
  },
  "History and logs": {
    page: "configuration.md#retention",
    variables: {
      SLUICE_RETENTION_RUNS: { means: "How long runs are kept, `7d` at least.", unset: "`90d`" },
      SLUICE_RETENTION_DEAD_LETTERS: { means: "How long dead letters are kept, `7d` at least.", unset: "`90d`" },
      SLUICE_RETENTION_AUDIT: { means: "How long the audit log is kept, `7d` at least.", unset: "for ever" },
      SLUICE_LOG: {
        means: "`stderr` or `file`: whether the log goes to stderr, too.",
        unset: "by whether it is a terminal",
      },
      SLUICE_LOG_LEVEL: { means: "`debug`, `info`, `warn`, `error` or `silent`.", unset: "`info`" },
    },
  },
  Traces: {
    page: "tracing.md",
    variables: {
      OTEL_EXPORTER_OTLP_ENDPOINT: { means: "Collector that spans are exported to, by OTLP.", unset: "no traces" },
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: { means: "In its place, the whole URL for traces." },
      OTEL_EXPORTER_OTLP_HEADERS: { means: "Headers of each export: `name=value,…`." },
      OTEL_TRACES_SAMPLER: { means: "Which traces are exported.", unset: "`parentbased_always_on`" },
      OTEL_TRACES_SAMPLER_ARG: { means: "The ratio, for samplers that want one.", unset: "1" },
      OTEL_SERVICE_NAME: { means: "Name of the service in spans.", unset: "`sluice`" },
      OTEL_SDK_DISABLED: { means: "`true`: nothing is exported." },
      OTEL_TRACES_EXPORTER: { means: "`none`: nothing is exported." },
      SLUICE_TRACE_URL: { means: "Where people look at a trace: an address with `{trace_id}` in it." },
    },
  },
  "The command line": {
    page: "cli.md",
    variables: {
      SLUICE_URL: { means: "The server.", unset: "that of the data folder, else port 7400" },
      SLUICE_GRPC_URL: { means: "Its gRPC.", unset: "that of the data folder, else port 7401" },
      SLUICE_TOKEN: { means: "The key to call it with.", unset: "that of the data folder" },
      SLUICE_CA: { means: "File with the authority that signed its certificate." },
      SLUICE_CLIENT_CERT: { means: "File with a certificate of one's own, where the server wants one." },
      SLUICE_CLIENT_KEY: { means: "File with its key." },
    },
  },
};
