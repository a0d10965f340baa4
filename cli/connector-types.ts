import { blackhole } from "../connectors/blackhole/index.ts";
import { file } from "../connectors/file/index.ts";
import { generator } from "../connectors/generator/index.ts";
import { http } from "../connectors/http/index.ts";
import { kafka } from "../connectors/kafka/index.ts";
import { nats } from "../connectors/nats/index.ts";
import { postgres } from "../connectors/postgres/index.ts";
import type { ConnectorType } from "../connectors/sdk/index.ts";

/** The connector types that come with the product. */
export const connectorTypes: readonly ConnectorType[] = [
  blackhole,
  file,
  generator,
  http,
  kafka,
  nats,
  postgres,
] as readonly ConnectorType[];
