import { expect, test } from "vitest";
import { readNodeSettings } from "./node-settings.ts";

test("copies of the logs are as many as the cluster gives unless SLUICE_NATS_REPLICAS says how many", () => {
  expect(readNodeSettings({}).natsReplicas).toBeUndefined();
  expect(readNodeSettings({ SLUICE_NATS_REPLICAS: "" }).natsReplicas).toBeUndefined();
  expect(readNodeSettings({ SLUICE_NATS_REPLICAS: "5" }).natsReplicas).toBe(5);
});

test.each(["0", "6", "three", "1.5", "-1"])("SLUICE_NATS_REPLICAS is refused as %s, by its name", (text) => {
  expect(() => readNodeSettings({ SLUICE_NATS_REPLICAS: text })).toThrow(`SLUICE_NATS_REPLICAS is "${text}"`);
});
