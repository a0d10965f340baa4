import { expect, test } from "vitest";
import { lagIn } from "./progress.ts";

test("the lag is the sum over the integration's own consumers", () => {
  const metrics = [
    "# TYPE sluice_consumer_lag gauge",
    'sluice_consumer_lag{integration="shop",destination="a"} 5',
    'sluice_consumer_lag{integration="shop",destination="b"} 7',
    'sluice_consumer_lag{integration="shop-two"} 100',
    'sluice_records_in_total{integration="shop"} 9',
  ].join("\n");
  expect(lagIn(metrics, "shop")).toBe(12);
  expect(lagIn(metrics, "none")).toBeNull();
});
