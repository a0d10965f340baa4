import { expect, it } from "vitest";
import { DepthAlert } from "./depth-alert.ts";

it("says once that the dead letters pass the depth, and once that they are back", async () => {
  const said: unknown[] = [];
  const say = (level: string) => (fields: object, message: string) => void said.push([level, fields, message]);
  const logger = { info: say("info"), warn: say("warn"), error: say("error") };
  const depths = new Map([["a", 3]]);
  const alert = new DepthAlert({ depths: async () => depths }, logger);
  const watched = [
    { id: "a", name: "people", alertDepth: 3 },
    { id: "b", name: "orders", alertDepth: null },
  ];
  await alert.look(watched);
  expect(said).toEqual([]);
  depths.set("a", 4).set("b", 1_000);
  await alert.look(watched);
  await alert.look(watched);
  const above = { integration: "people", depth: 4, alert_depth: 3 };
  expect(said).toEqual([["warn", above, "there are more dead letters than alert_depth"]]);
  depths.delete("a");
  await alert.look(watched);
  await alert.look(watched);
  const back = { integration: "people", depth: 0, alert_depth: 3 };
  expect(said.slice(1)).toEqual([["info", back, "the dead letters are back within alert_depth"]]);
});

it("asks nothing where no integration wants an alert", async () => {
  const logger = { info: () => {}, warn: () => {}, error: () => {} };
  const alert = new DepthAlert({ depths: () => Promise.reject(new Error("asked")) }, logger);
  await alert.look([{ id: "a", name: "people", alertDepth: null }]);
});
