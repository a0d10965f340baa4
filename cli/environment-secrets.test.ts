import { expect, test } from "vitest";
import { Redactor } from "../runtime/config/index.ts";
import { addEnvironmentSecrets } from "./environment-secrets.ts";

test("what of the environment lets somebody in is a secret, and nothing else of it", () => {
  const redactor = new Redactor();
  addEnvironmentSecrets(redactor, {
    SLUICE_DATABASE_URL: "postgres://etl:data%2Fbase-pw@db.example.com:5432/shop",
    SLUICE_NATS_URL: "nats://nats-token@nats.example.com:4222",
    SLUICE_MASTER_KEY: "bmV3LW5ldy1uZXc=, b2xkLW9sZC1vbGQ=",
    SLUICE_VAULT_TOKEN: "hvs.vault-token",
    OTEL_EXPORTER_OTLP_HEADERS: "api-key=otel-header,x=other-header",
    SLUICE_URL: "http://sluice.example.com",
  });
  const text =
    "data%2Fbase-pw data/base-pw nats-token bmV3LW5ldy1uZXc= b2xkLW9sZC1vbGQ= hvs.vault-token otel-header other-header";
  expect(redactor.redact(text)).toBe(Array(8).fill("***").join(" "));
  const open = "postgres://db.example.com:5432/shop nats.example.com http://sluice.example.com etl api-key";
  expect(redactor.redact(open)).toBe(open);
});
