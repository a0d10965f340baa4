import { describeConnector } from "../../connectors/conformance/index.ts";
import { postgres } from "../../connectors/postgres/index.ts";
import { postgresFixture } from "./fixture.ts";

describeConnector(postgres, postgresFixture);
