import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ExternalLink } from "lucide-react";
import type { DeadLetter } from "../../api/types.ts";
import { CopyId } from "../../components/copy-id.tsx";
import { FieldErrors } from "../../components/states.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { useMe } from "../../layout/me.ts";
import { moment } from "../../lib/format.ts";
import { traceUrl } from "../run/run.tsx";
import { placeOf } from "./columns.tsx";
import styles from "./dead-letters.module.css";
import { ruleQuery } from "./rule.ts";

/** Where it is from, with ways on. */
export function Facts({ letter }: { readonly letter: DeadLetter }) {
  const { trace_url: template } = useMe();
  const { id, integration_id: integration, integration_version: version, run_id: run, record_id: record } = letter;
  const { trace_id: trace, request, position, fingerprint } = letter;
  return (
    <span className={styles.facts}>
      <span>
        id <CopyId id={id} />
      </span>
      <span className={styles.from}>
        {position.base}:{position.ordinal}
      </span>
      <span title={moment(letter.first_failed_at)}>
        failed <RelativeTime at={letter.first_failed_at} />
      </span>
      <Link to="/runs/$id" params={{ id: run }}>
        Its run
      </Link>
      <span>
        {"version "}
        <Link to="/integrations/$id" params={{ id: integration }} search={{ tab: "versions", to: String(version) }}>
          {version}
        </Link>
      </span>
      <Link to="/follow" search={{ integration, record: id, by: "dead_letter" }}>
        Follow the record
      </Link>
      <Link to="/integrations/$id/dead-letters" params={{ id: integration }} search={{ fingerprint }}>
        Those that failed alike
      </Link>
      <span>
        record <CopyId id={record} />
      </span>
      {trace !== null &&
        (template == null ? (
          <span>
            trace <CopyId id={trace} />
          </span>
        ) : (
          <a href={traceUrl(template, trace)} target="_blank" rel="noreferrer">
            Trace <ExternalLink size={12} aria-label="(in a new tab)" />
          </a>
        ))}
      {request?.id !== undefined && (
        <span>
          request <CopyId id={request.id} />
        </span>
      )}
      {request?.actor !== undefined && <span>asked for by {request.actor}</span>}
    </span>
  );
}

/** Why it failed: where, the code, and the sentence, with the fields that it is about. */
export function Why({ letter }: { readonly letter: DeadLetter }) {
  const { code, message, errors } = letter;
  const { data: rule } = useQuery(ruleQuery(letter));
  return (
    <div className={styles.why} role="note" aria-label="Why it failed" data-resolved={letter.resolved}>
      <p>
        <code>{code}</code> at {placeOf(letter)}
        {rule && (
          <>
            {": "}
            <code>{rule.text}</code>
          </>
        )}
      </p>
      <p>
        <strong>{message}</strong>
      </p>
      <FieldErrors errors={errors} />
    </div>
  );
}
