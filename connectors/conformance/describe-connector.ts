import { afterAll, beforeAll, describe, test } from "vitest";
import type { Connector, ConnectorType } from "../sdk/index.ts";
import type { Fixture } from "./fixture.ts";
import { checksOf } from "./suite.ts";

/**
 * The suite as tests, of a type within this process: all that needs neither a program of its own nor more than any
 * fixture has. `setup` makes the real far side (a folder, a database) with the fixture's records in it.
 */
export function describeConnector<Config>(type: ConnectorType<Config>, setup: () => Promise<Fixture>): void {
  // The config is valid by the type's own schema, which is what the gateway holds too.
  const any = type as ConnectorType;
  describe(`connector type ${type.type} (${type.title}) keeps the contract`, () => {
    let fixture: Fixture;
    let connector: Connector;
    beforeAll(async () => {
      fixture = await setup();
      connector = any.create(fixture.config, fixture.context);
    });
    afterAll(async () => {
      await connector?.close();
      await fixture?.close();
    });
    for (const { id, title, needs, skip, run } of checksOf(any)) {
      if (needs !== undefined) continue;
      test(`${id}: ${title}`, async (context) => {
        const subject = { type: any, fixture, connector };
        const reason = skip?.(subject);
        if (reason !== undefined) return context.skip(reason);
        await run(subject);
      });
    }
  });
}
