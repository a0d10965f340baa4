import type { Instance, ReadOpen, ReadRequest, ReadResponse } from "../../proto/gen/sluice/connector/v1/connector.ts";
import type { Json } from "../sdk/index.ts";
import { Flaw, type PluginHandle } from "./check.ts";

const patienceMs = 10_000;

/** A connector as calls carry it. */
export function instanceOf(config: Json): Instance {
  return { id: "certify", version: 1n, config: JSON.stringify(config) };
}

/** A Read call on the bare protocol: what the host would not let through is counted here. */
export async function readCall(plugin: PluginHandle, value: ReadOpen) {
  const call = plugin.client().read();
  let opened = false;
  let ended: string | undefined;
  let records = 0;
  let wake = () => {};
  call.on("data", ({ response }: ReadResponse) => {
    if (response?.$case === "opened") opened = true;
    else records += response?.value.records?.count ?? 0;
    wake();
  });
  call.on("error", (error) => {
    ended ??= error.message;
    wake();
  });
  call.on("end", () => {
    ended ??= "it ended the call";
    wake();
  });
  const send = (request: ReadRequest["request"]) => call.write({ request });
  const until = async (holds: () => boolean, what: string) => {
    const timer = setTimeout(() => {
      ended ??= `nothing came for ${patienceMs / 1000} s`;
      wake();
    }, patienceMs);
    try {
      while (!holds()) {
        if (ended !== undefined) throw new Flaw(`${what}: ${ended}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  };
  send({ $case: "open", value });
  return {
    opened: () => until(() => opened, "the stream was not opened"),
    reaches: (count: number) => until(() => records >= count, `${records} of ${count} records came that had credit`),
    records: () => records,
    credit: (more: number) => send({ $case: "credit", value: { records: more } }),
    cancel: () => call.cancel(),
  };
}
