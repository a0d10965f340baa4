import { useEffect, useState } from "react";
import { api } from "../../api/client.ts";
import { type FieldError, toProblem } from "../../api/problem.ts";
import { parseConfig } from "./config-text.ts";

interface Plan {
  readonly changes: readonly {
    readonly notes: readonly { readonly path: string; readonly message: string; readonly destructive: boolean }[];
  }[];
}

export interface Checked {
  /** By paths of the integration. */
  readonly errors: readonly FieldError[];
  /** What saving it does besides changing fields. */
  readonly notes: Plan["changes"][number]["notes"];
}

const nothing: Checked = { errors: [], notes: [] };
const pauseMs = 600;
const prefix = /^integrations\[0\]\.?/;

/** What the server says of a draft, once nobody has typed for a moment; nothing of what is no JSON. Null: there is none. */
export function useCheck(draft: string | null): Checked {
  const [checked, setChecked] = useState<{ readonly draft: string | null; readonly found: Checked }>({
    draft: null,
    found: nothing,
  });
  useEffect(() => {
    const parsed = draft === null ? null : parseConfig(draft);
    if (parsed === null || "error" in parsed) return;
    const left = new AbortController();
    const timer = setTimeout(async () => {
      const found = await checkOf(parsed.value, left.signal);
      if (!left.signal.aborted) setChecked({ draft, found });
    }, pauseMs);
    return () => {
      clearTimeout(timer);
      left.abort();
    };
  }, [draft]);
  return checked.draft === draft ? checked.found : nothing;
}

async function checkOf(config: object, signal: AbortSignal): Promise<Checked> {
  const query = { dry_run: true, skip_checks: true, allow_destructive: true };
  try {
    const { changes } = await api.post<Plan>(
      "/v1/apply",
      { integrations: [config] },
      { query, signal, idempotencyKey: null },
    );
    return { errors: [], notes: changes.flatMap(({ notes }) => notes) };
  } catch (error) {
    const { status, errors } = toProblem(error);
    // A courtesy: saving says what else is wrong.
    if (status !== 400 && status !== 422) return nothing;
    return { errors: errors.map(({ path, message }) => ({ path: path.replace(prefix, ""), message })), notes: [] };
  }
}
