import { send } from "../../api/client.ts";
import { parseExact } from "../../lib/exact-json.ts";
import { configText } from "./config-text.ts";

/** A version of an integration, as the text that is edited. */
export interface EditedVersion {
  readonly version: number;
  readonly text: string;
}

/** As it is now, every digit of its numbers kept. */
export async function configurationOf(id: string): Promise<EditedVersion> {
  const response = await send(`/v1/integrations/${id}`);
  const integration = parseExact(await response.text()) as Readonly<Record<string, unknown>> & {
    readonly version: number;
  };
  return { version: integration.version, text: configText(integration) };
}
