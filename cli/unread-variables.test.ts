import { expect, test } from "vitest";
import { unreadVariables } from "./unread-variables.ts";

test("a variable that nothing reads is told, with the one that was most likely meant", () => {
  const env = { SLUICE_HTP_PORT: "1", SLUICE_HTTP_PORT: "1", SLUICE_COLOUR_OF_THE_SKY: "blue", HOME: "/" };
  expect(unreadVariables(env)).toEqual([
    "nothing reads SLUICE_HTP_PORT; did you mean SLUICE_HTTP_PORT?",
    "nothing reads SLUICE_COLOUR_OF_THE_SKY",
  ]);
});

test("names of secrets, of plugins' own settings and of what others read are the user's", () => {
  expect(unreadVariables({ SLUICE_SECRET_SHOP: "x", SLUICE_PLUGIN_TOKEN: "x", OTEL_RESOURCE_ATTRIBUTES: "x" })).toEqual(
    [],
  );
});
