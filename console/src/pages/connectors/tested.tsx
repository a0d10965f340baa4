import { CircleCheck, CircleX } from "lucide-react";
import type { ConnectorTest } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { JsonView } from "../../components/json-view.tsx";
import { Panel } from "../../components/page.tsx";
import { duration } from "../../lib/format.ts";

/** What came of a test: whether it can be reached, and a record of what it has. */
export function Tested({
  tested: { status, latency_ms: latency, sample_record: sample, error },
}: {
  tested: ConnectorTest;
}) {
  const took = duration(latency);
  return (
    <Panel title="Test">
      <p>
        {status === "ok" ? (
          <Badge tone="ok" icon={<CircleCheck size={14} aria-hidden />}>
            it answered in {took}
          </Badge>
        ) : (
          <Badge tone="bad" icon={<CircleX size={14} aria-hidden />}>
            failed after {took}
          </Badge>
        )}
      </p>
      {error && (
        <p>
          {error.message} <code>{error.code}</code>
        </p>
      )}
      {sample !== null && sample !== undefined && <JsonView value={sample} label="Sample record" />}
      {status === "ok" && (sample === null || sample === undefined) && (
        <p className="soft">It gives no sample: there is nothing in it yet, or it is not read from.</p>
      )}
    </Panel>
  );
}
