import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Connector, ConnectorError, ConnectorType } from "../sdk/index.ts";
import { describeDestination } from "./describe-destination.ts";
import { describeSource } from "./describe-source.ts";
import type { Fixture } from "./fixture.ts";
import { flawsOf, validatorOf } from "./schema.ts";

/**
 * The contract of a connector type as tests: whatever passes may be used by the runtime. `setup` makes the real far
 * side (a folder, a database) with the fixture's records in it.
 */
export function describeConnector<Config>(type: ConnectorType<Config>, setup: () => Promise<Fixture>): void {
  describe(`connector type ${type.type} keeps the contract`, () => {
    let fixture: Fixture;
    let connector: Connector;
    beforeAll(async () => {
      fixture = await setup();
      connector = create(fixture.config);
    });
    afterAll(async () => {
      await connector?.close();
      await fixture?.close();
    });
    // The config is valid by the type's own schema, which is what the gateway holds too.
    const create = (config: Fixture["config"]) => type.create(config as Config, fixture.context);

    test("it says what it is", () => {
      expect(type.type).toMatch(/^[a-z][a-z0-9-]*$/);
      expect(type.version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(type.title).not.toBe("");
      expect(type.description).toMatch(/\.$/);
      expect(type.capabilities.source !== undefined).toBe(connector.openSource !== undefined);
      expect(type.capabilities.destination !== undefined).toBe(connector.openDestination !== undefined);
      expect(type.capabilities.lookup !== undefined).toBe(connector.lookup !== undefined);
    });

    test("its config is a closed JSON Schema 2020-12 that describes every member", () => {
      expect(validatorOf(type.config)(fixture.config)).toBe(true);
      expect(flawsOf(type.config)).toEqual([]);
      expect(flawsOf(type.capabilities.lookup?.request ?? true, "request")).toEqual([]);
    });

    test("an unknown field of the config is refused", () => {
      expect(validatorOf(type.config)({ ...fixture.config, no_such_field: 1 })).toBe(false);
    });

    test("a good config passes the check", async () => {
      await connector.check(new AbortController().signal);
    });

    test("the check of a bad config names the setting", async () => {
      for (const { config, path } of fixture.badConfigs) {
        expect(validatorOf(type.config)(config)).toBe(true);
        const bad = create(config);
        const error: unknown = await bad.check(new AbortController().signal).catch((thrown: unknown) => thrown);
        await bad.close();
        expect(error).toMatchObject({ code: expect.any(String), fault: expect.any(String) });
        expect(error).toMatchObject({ path });
        expect((error as ConnectorError).message).not.toMatch(/\n/);
      }
    });

    describeSource(type, () => ({ connector, fixture }));
    describeDestination(type, () => ({ connector, fixture }));
  });
}
