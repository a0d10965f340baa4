import { ok } from "./requests.ts";
import * as schemas from "./resource-schemas.ts";
import type { Route } from "./route.ts";

export const secretsRoutes: Route[] = [
  {
    method: "GET",
    path: "/v1/secrets",
    operationId: "getSecrets",
    scopes: ["platform:read"],
    tag: "secrets",
    summary:
      "Where the key of the secrets is, and how many connectors, plugins and webhook secrets are sealed under which version of it.",
    answer: ok("No secret, and no key.", schemas.secrets),
    handle: async (_, { secrets }) => {
      const { provider, keyVersion, byKeyVersion } = await secrets.status();
      const versions = Array.from(byKeyVersion, ([key_version, sealed]) => ({
        key_version,
        sealed,
        current: key_version === keyVersion,
      }));
      return { provider, key_version: keyVersion, versions };
    },
  },
  {
    method: "POST",
    path: "/v1/secrets/rotate",
    operationId: "rotateSecrets",
    scopes: ["platform:write"],
    tag: "secrets",
    summary:
      "Wraps the data key of every connector, plugin and webhook secret by the newest key, without reading a secret.",
    answer: ok("How many were wrapped anew.", schemas.rotation),
    problems: [409],
    handle: async (_, { secrets, audit }) => {
      const { provider, keyVersion, newKey, rewrapped, unchanged, failed } = await secrets.rotate();
      await audit.note("secrets.rotated", { provider, key_version: keyVersion, rewrapped });
      return { provider, key_version: keyVersion, new_key: newKey, rewrapped, unchanged, failed };
    },
  },
];
