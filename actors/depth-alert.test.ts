import { expect, it } from "vitest";
import { DepthAlert } from "./depth-alert.ts";

it("says once that the dead letters pass the depth, and once that they are back", () => {
  const said: unknown[] = [];
  const say = (level: string) => (fields: object, message: string) => void said.push([level, fields, message]);
  const logger = { info: say("info"), warn: say("warn"), error: say("error") };
  const depths = new Map([["a", 3]]);
  const alert = new DepthAlert(logger);
  const watched = [
    { id: "a", name: "people", alertDepth: 3 },
    { id: "b", name: "orders", alertDepth: null },
  ];
  alert.look(watched, depths);
  expect(said).toEqual([]);
  depths.set("a", 4).set("b", 1_000);
  alert.look(watched, depths);
  alert.look(watched, depths);
  const above = { integration: "people", depth: 4, alert_depth: 3 };
  expect(said).toEqual([["warn", above, "there are more dead letters than alert_depth"]]);
  depths.delete("a");
  alert.look(watched, depths);
  alert.look(watched, depths);
  const back = { integration: "people", depth: 0, alert_depth: 3 };
  expect(said.slice(1)).toEqual([["info", back, "the dead letters are back within alert_depth"]]);
});
