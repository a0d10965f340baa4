import type { WantedBy } from "../services/index.ts";
import { date, id, ok } from "./requests.ts";
import * as schemas from "./resource-schemas.ts";
import type { Route } from "./route.ts";

export const recordRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/integrations/{id}/records/{record}",
    operationId: "followRecord",
    scopes: ["dead-letters:read"],
    tag: "records",
    summary:
      "What became of a record: its place in the log, what each step makes of it, its outcome at each destination.",
    query: {
      by: {
        enum: ["record_id", "key", "dead_letter"],
        description:
          "What `record` is. Left out: the id of a dead letter where it is one, else a record's id where it looks like one (32 hexadecimal digits), else a key: a value that stands in the record as it was read, at whatever depth.",
      },
      since: { type: "string", format: "date-time", description: "Only what came into the log at this time or later." },
      until: {
        type: "string",
        format: "date-time",
        description: "Only what came into the log at this time or earlier.",
      },
      limit: { type: "integer", minimum: 1, maximum: 20, default: 5, description: "The search ends with so many." },
    },
    answer: ok(
      "The newest first; none where nothing was found. The search ends after 20000 messages of the log or five seconds, and says so.",
      schemas.followed,
    ),
    problems: [429],
    handle: async (request, { follow }) => {
      const { by = null, limit } = request.query as { by?: WantedBy; limit: number };
      const options = { by, since: date(request, "since"), until: date(request, "until"), limit };
      return follow(id(request), request.params.record!, options);
    },
  },
];
