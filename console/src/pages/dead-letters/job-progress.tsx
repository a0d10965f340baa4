import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Ban, CirclePause, CirclePlay, X } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/client.ts";
import { jobQuery, useList } from "../../api/queries.ts";
import type { Job } from "../../api/types.ts";
import { Status } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { Confirm } from "../../components/dialog.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { useMay } from "../../layout/me.ts";
import { count } from "../../lib/format.ts";
import styles from "./dead-letters.module.css";

const isUnderWay = ({ status }: Job): boolean => status === "running" || status === "paused";

/** Replays that are not at their end, and the one that is looked at, live by events. */
export function JobsUnderWay(props: { id: string; shown: string | undefined; onClose: () => void }) {
  const { id, shown, onClose } = props;
  const { rows = [] } = useList<Job>(["jobs", id], `/v1/integrations/${id}/jobs`);
  const { data: chosen } = useQuery({ ...jobQuery(shown ?? ""), enabled: shown !== undefined });
  const jobs = rows.filter((job) => isUnderWay(job) && job.id !== chosen?.id);
  if (chosen === undefined && jobs.length === 0) return null;
  return (
    <div className={styles.jobs}>
      {chosen !== undefined && <JobProgress job={chosen} onClose={isUnderWay(chosen) ? null : onClose} />}
      {jobs.map((job) => (
        <JobProgress key={job.id} job={job} onClose={null} />
      ))}
    </div>
  );
}

/** How a replay was asked for, in words. */
export function optionsText({ from, version, rate }: Job["options"]): string {
  const where = from === "head" ? "from the head" : from === "step" ? "from where they failed" : null;
  const under = version === "original" ? "under the version of each" : null;
  const pace = rate == null ? null : `at most ${rate}/s`;
  return [where, under, pace].filter((part) => part !== null).join(", ") || "under the current version";
}

function JobProgress({ job, onClose }: { readonly job: Job; readonly onClose: (() => void) | null }) {
  const { done, total, passed, failed } = job.progress;
  const mayWrite = useMay("dead-letters:write");
  return (
    <section className={styles.job} aria-label="Replay">
      <Status of={job.status} title={job.error?.message ?? null} />
      <div className={styles.jobText}>
        <p aria-live="polite">
          <strong>
            {count(done)} of {count(total)} replayed
          </strong>
          {done > 0 && (
            <>
              : {count(passed)} delivered,{" "}
              <span className={failed > 0 ? styles.bad : undefined}>{count(failed)} failed again</span>
            </>
          )}
        </p>
        <p className="soft">
          {optionsText(job.options)}, begun <RelativeTime at={job.created_at} />
          {job.created_by !== null && ` by ${job.created_by}`}
          {job.error !== null && `: ${job.error.message}`}
        </p>
      </div>
      <progress className={styles.bar} max={Math.max(1, total)} value={done} aria-label="Replayed" />
      <div className={styles.jobButtons}>
        {mayWrite && isUnderWay(job) && <Controls job={job} />}
        {onClose !== null && (
          <Button kind="quiet" icon={<X size={16} aria-hidden />} label="Close this replay" onPress={onClose} />
        )}
      </div>
    </section>
  );
}

function Controls({ job }: { readonly job: Job }) {
  const client = useQueryClient();
  const [isAsking, ask] = useState(false);
  const change = async (what: "pause" | "resume" | "cancel") => {
    client.setQueryData(["job", job.id], await api.post<Job>(`/v1/jobs/${job.id}/${what}`));
    void client.invalidateQueries({ queryKey: ["jobs", job.integration_id] });
  };
  return (
    <>
      {job.status === "running" ? (
        <Button icon={<CirclePause size={16} aria-hidden />} onPress={() => change("pause")}>
          Pause
        </Button>
      ) : (
        <Button icon={<CirclePlay size={16} aria-hidden />} onPress={() => change("resume")}>
          Resume
        </Button>
      )}
      <Button icon={<Ban size={16} aria-hidden />} onPress={() => ask(true)}>
        Cancel
      </Button>
      <Confirm
        title="Cancel this replay?"
        action="Cancel the replay"
        isDanger
        isOpen={isAsking}
        onClose={() => ask(false)}
        onConfirm={() => change("cancel")}
      >
        <p>What it has in hand is settled. The others stay dead letters, and may be replayed again.</p>
      </Confirm>
    </>
  );
}
