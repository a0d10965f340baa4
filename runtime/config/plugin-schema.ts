import { closed, integer, list, name, type Part, text } from "./schema-parts.ts";

const secret = (description: string): Part => ({ type: "string", minLength: 1, writeOnly: true, description });

/** A program of its own that serves a connector type. */
export const pluginSchema: Part = closed(
  "A program of its own that serves a connector type: started as a child of each node, or reached at an address.",
  {
    name: name("Unique among plugins."),
    command: {
      ...list(
        "Program and arguments; no shell reads them. The program is a file below the server's SLUICE_PLUGIN_ROOTS, and is started in its folder.",
        text("The program, relative to one of the roots or absolute; then its arguments."),
        1,
      ),
      examples: [["sqlite/run"]],
    },
    address: {
      type: "string",
      pattern: "^(unix:/.+|[^\\s:/]+:\\d{1,5}|\\[[0-9a-fA-F:.]+\\]:\\d{1,5})$",
      $comment: "an address (unix:/PATH or HOST:PORT)",
      description: "Where it serves, if it runs elsewhere. Whatever is not of this machine needs `tls`.",
      examples: ["unix:/run/crm.sock", "crm-plugin:7000"],
    },
    image: {
      type: "string",
      pattern: "^[a-z0-9][a-z0-9._/:-]*(@sha256:[0-9a-f]{64})?$",
      $comment: "the name of an image (registry/name:tag)",
      description:
        "OCI image, for what deploys it: sluice itself starts no containers and reaches what runs at the `address`.",
      examples: ["registry.example.com/crm-plugin:1.2.0"],
    },
    tls: closed(
      "Mutual TLS, as PEM.",
      {
        ca: text("Certificates that the plugin's is held against."),
        cert: text("Certificate that sluice shows."),
        key: secret("Its private key."),
        server_name: text("Name in the plugin's certificate, where it is not that of the address."),
      },
      ["ca", "cert", "key"],
    ),
    memory: {
      ...integer("Memory that its program may take, in MiB: beyond, it is ended and started again (Linux).", 16, 1024),
    },
    env: {
      type: "object",
      description: "Added to the program's environment, which has little else. Names begin with SLUICE_PLUGIN_.",
      additionalProperties: secret("Value, or a reference."),
    },
  },
  ["name"],
);
