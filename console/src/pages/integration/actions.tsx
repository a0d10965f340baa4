import { useQueryClient } from "@tanstack/react-query";
import { CirclePause, CirclePlay, Play } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/client.ts";
import { type Problem, toProblem } from "../../api/problem.ts";
import type { Integration, Run } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { Confirm, Dialog } from "../../components/dialog.tsx";
import { FieldErrors } from "../../components/states.tsx";
import { toast } from "../../components/toast.tsx";
import { useMay } from "../../layout/me.ts";

/** What may be done with an integration by who is signed in. */
export function Actions({
  integration,
  isRunning,
}: {
  readonly integration: Integration;
  readonly isRunning: boolean;
}) {
  const { id, name, enabled } = integration;
  const client = useQueryClient();
  const mayOperate = useMay("integrations:operate");
  const mayRun = useMay("runs:write");
  const [isDisabling, setDisabling] = useState(false);
  const [refused, setRefused] = useState<Problem | null>(null);

  const set = async (action: "enable" | "disable") => {
    const changed = await api.put<Integration>(`/v1/integrations/${id}/${action}`);
    client.setQueryData(["integration", id], changed);
    toast.ok(`${name} is ${action}d`);
  };
  const enable = async () => {
    try {
      await set("enable");
    } catch (error) {
      const problem = toProblem(error);
      // What breaks is a list, which a toast has no room for.
      if (problem.status !== 409) throw problem;
      setRefused(problem);
    }
  };
  const run = async () => {
    const begun = await api.post<Run>(`/v1/integrations/${id}/run`);
    client.setQueryData(["run", begun.id], undefined);
    void client.invalidateQueries({ queryKey: ["runs", id] });
    toast.ok(`A run of ${name} is under way`);
  };
  const whyNoRun = !enabled ? "It is disabled: enable it first" : isRunning ? "A run is under way" : null;
  return (
    <>
      {mayOperate && enabled && (
        <Button icon={<CirclePause size={16} aria-hidden />} onPress={() => setDisabling(true)}>
          Disable
        </Button>
      )}
      {mayOperate && !enabled && (
        <Button kind={mayRun ? "plain" : "primary"} icon={<CirclePlay size={16} aria-hidden />} onPress={enable}>
          Enable
        </Button>
      )}
      {mayRun && (
        <Button kind="primary" icon={<Play size={16} aria-hidden />} onPress={run} whyNot={whyNoRun}>
          Run now
        </Button>
      )}
      <Confirm
        title={`Disable ${name}?`}
        action="Disable"
        isOpen={isDisabling}
        onClose={() => setDisabling(false)}
        onConfirm={() => set("disable")}
      >
        <p>
          No schedule fires and no run starts until it is enabled again. A run that is under way goes on to its end.
        </p>
      </Confirm>
      <Dialog
        title={`${name} cannot be enabled`}
        isOpen={refused !== null}
        onClose={() => setRefused(null)}
        actions={<Button onPress={() => setRefused(null)}>Close</Button>}
      >
        {refused && (
          <>
            <p>It was checked against what its source gives and its destinations take. This breaks:</p>
            {refused.errors.length > 0 ? <FieldErrors errors={refused.errors} /> : <p>{refused.message}</p>}
          </>
        )}
      </Dialog>
    </>
  );
}
