import type { ConnectorType } from "../../api/types.ts";
import type { Draft } from "./draft.ts";

/** What each step is given. */
export interface StepProps {
  readonly draft: Draft;
  readonly change: (part: Partial<Draft>) => void;
  readonly types: readonly ConnectorType[];
}
