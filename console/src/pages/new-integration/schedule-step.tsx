import { useQuery } from "@tanstack/react-query";
import { ComboField } from "../../components/combo-field.tsx";
import { SelectField, TextField } from "../../components/field.tsx";
import { Panel } from "../../components/page.tsx";
import { isReference } from "../../components/schema-form/schema.ts";
import { Skeleton } from "../../components/states.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { nameOf } from "./body.ts";
import type { TriggerDraft } from "./draft.ts";
import { capabilityOf, typeOf } from "./ends.ts";
import { firesOf } from "./fires.ts";
import styles from "./new-integration.module.css";
import type { StepProps } from "./step-props.ts";

const often = [
  { id: "*/5 * * * *", detail: "Every five minutes" },
  { id: "0 * * * *", detail: "Every hour" },
  { id: "0 6 * * *", detail: "Every day at 6:00" },
  { id: "0 6 * * 1-5", detail: "On weekdays at 6:00" },
  { id: "0 6 * * 1", detail: "On Mondays at 6:00" },
  { id: "0 0 1 * *", detail: "On the first of each month" },
];

const manual = { id: "manual", label: "When it is asked to", detail: "Run now, the API, or the command line" } as const;
const schedule = { id: "schedule", label: "By a schedule", detail: "At the times of a cron expression" } as const;
const event = { id: "event", label: "All the time", detail: "What is new is read as it comes" } as const;

/** When it runs. */
export function ScheduleStep({ draft, change, types }: StepProps) {
  const { source, trigger } = draft;
  const set = (part: Partial<TriggerDraft>) => change({ trigger: { ...trigger, ...part } });
  const isEndless = capabilityOf(typeOf(types, source.connector?.type ?? ""), "source")?.endless === true;
  if (trigger.type === "webhook") return <Webhook trigger={trigger} set={set} name={draft.name || nameOf(draft)} />;
  return (
    <div className={styles.two}>
      <Panel title="When does it run?">
        <SelectField
          label="It runs"
          options={isEndless ? [manual, schedule, event] : [manual, schedule]}
          value={trigger.type}
          onChange={(type) => set({ type, timezone: trigger.timezone || here() })}
        />
        {trigger.type === "schedule" && (
          <>
            <ComboField
              label="Times"
              isRequired
              value={trigger.cron}
              onChange={(cron) => set({ cron })}
              options={often}
              help="Minute, hour, day of the month, month, day of the week; six fields begin with the second."
            />
            <ComboField
              label="Time zone"
              isRequired
              value={trigger.timezone}
              onChange={(timezone) => set({ timezone })}
              options={zones()}
            />
          </>
        )}
      </Panel>
      {trigger.type === "schedule" && <Next cron={trigger.cron} timezone={trigger.timezone} />}
    </div>
  );
}

const here = (): string => new Intl.DateTimeFormat().resolvedOptions().timeZone;

let known: readonly { readonly id: string }[] | undefined;
const zones = () =>
  (known ??= [...new Set(["UTC", here(), ...Intl.supportedValuesOf("timeZone")])].map((id) => ({ id })));

/** The next times, in words. */
export function Next({ cron, timezone }: { readonly cron: string; readonly timezone: string }) {
  const { data } = useQuery({
    queryKey: ["draft-fires", cron, timezone],
    queryFn: () => firesOf(cron, timezone),
    staleTime: 0,
  });
  const words = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
  const timesOf = (at: readonly Date[]) => {
    const there = new Intl.DateTimeFormat(undefined, {
      dateStyle: "full",
      timeStyle: "medium",
      timeZone: timezone || "UTC",
    });
    return (
      <ol className={styles.times}>
        {at.map((each) => (
          <li key={each.getTime()}>
            <time dateTime={each.toISOString()} title={`${words.format(each)} here`}>
              {there.format(each)}
            </time>
            <span className="soft">
              <RelativeTime at={each.toISOString()} />
            </span>
          </li>
        ))}
      </ol>
    );
  };
  return (
    <Panel title="Next times">
      <div aria-live="polite">
        {data === undefined ? (
          <Skeleton lines={5} />
        ) : "error" in data ? (
          <p className={styles.problem}>{data.error}</p>
        ) : (
          timesOf(data.at)
        )}
      </div>
    </Panel>
  );
}

const schemes = [
  { id: "bearer", label: "Bearer", detail: "A token in the header Authorization" },
  { id: "basic", label: "Basic", detail: "user:password in the header Authorization" },
  { id: "standard-webhooks", label: "Standard Webhooks", detail: "Signed; whsec_… or whpk_…" },
  { id: "github", label: "GitHub", detail: "X-Hub-Signature-256, also Meta" },
  { id: "stripe", label: "Stripe", detail: "Stripe-Signature" },
  { id: "slack", label: "Slack", detail: "X-Slack-Signature" },
  { id: "none", label: "None", detail: "Whoever reaches the port may send" },
] as const;

interface WebhookProps {
  readonly trigger: TriggerDraft;
  readonly set: (part: Partial<TriggerDraft>) => void;
  readonly name: string;
}

function Webhook({ trigger, set, name }: WebhookProps) {
  return (
    <Panel title="Who may send?">
      <div className={styles.narrow}>
        <p>
          It runs all the time: whatever is sent to <code>POST /v1/hooks/{name}</code> and proves itself is a record.
        </p>
        <SelectField
          label="Senders prove themselves by"
          options={schemes}
          value={trigger.scheme}
          onChange={(scheme) => set({ scheme })}
        />
        {trigger.scheme !== "none" && (
          <TextField
            label="Secret"
            isRequired
            type={isReference(trigger.secret) ? "text" : "password"}
            value={trigger.secret}
            onChange={(secret) => set({ secret })}
            autoComplete="new-password"
            help={
              <>
                It is kept encrypted and shown to nobody. A reference such as <code>${"{env:SLUICE_SECRET_HOOK}"}</code>{" "}
                keeps it elsewhere.
              </>
            }
          />
        )}
      </div>
    </Panel>
  );
}
