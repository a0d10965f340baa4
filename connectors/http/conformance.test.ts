import { httpFixture } from "../../tests/support/http-fixture.ts";
import { describeConnector } from "../conformance/index.ts";
import { http } from "./index.ts";

describeConnector({ ...http, title: "HTTP, full, a record a request" }, () => httpFixture(1, "full"));
describeConnector({ ...http, title: "HTTP, incremental, batches" }, () => httpFixture(4, "incremental"));
