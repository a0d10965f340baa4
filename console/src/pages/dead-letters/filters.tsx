import { Link } from "@tanstack/react-router";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import type { Integration, JsonObject } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { CopyId } from "../../components/copy-id.tsx";
import { SelectField, TextField } from "../../components/field.tsx";
import { Toolbar } from "../../components/page.tsx";
import { localOf, timeOf } from "../integration/local-time.ts";
import styles from "./dead-letters.module.css";
import { codes, type DeadLettersSearch, filterOf } from "./search.ts";

interface FiltersProps {
  readonly integration: Integration;
  readonly search: DeadLettersSearch;
  readonly view: "groups" | "records";
  readonly onChange: (part: Partial<DeadLettersSearch>) => void;
}

const all = { id: "all", label: "All" } as const;
const open = { id: "false", label: "Open" } as const;
const resolved = { id: "true", label: "Resolved" } as const;
const codeOptions = [all, ...codes.map((id) => ({ id, label: id }))];

/** What is shown of the dead letters. All of it stands in the URL. */
export function Filters({ integration, search, view, onChange }: FiltersProps) {
  const { code, step, destination, run_id: run, fingerprint, record_id: record, since, until } = search;
  const isFiltered = Object.keys(filterOf(search)).length > 0;
  const clear = () =>
    onChange({
      code: undefined,
      step: undefined,
      destination: undefined,
      run_id: undefined,
      fingerprint: undefined,
      record_id: undefined,
      since: undefined,
      until: undefined,
      view,
    });
  const chosen = (id: string) => (id === "all" ? undefined : id);
  return (
    <>
      <Toolbar label="Filter dead letters">
        <SelectField
          label="State"
          options={view === "groups" ? [open, resolved] : [open, resolved, all]}
          value={search.resolved ?? "false"}
          onChange={(state) => onChange({ resolved: state === "false" ? undefined : state, view })}
        />
        <SelectField
          label="Code"
          options={codeOptions}
          value={code ?? "all"}
          onChange={(id) => onChange({ code: id === "all" ? undefined : id })}
        />
        <SelectField
          label="Step"
          options={optionsOf(stepsOf(integration), step)}
          value={step ?? "all"}
          onChange={(id) => onChange({ step: chosen(id) })}
        />
        <SelectField
          label="Destination"
          options={optionsOf(destinationsOf(integration), destination)}
          value={destination ?? "all"}
          onChange={(id) => onChange({ destination: chosen(id) })}
        />
        <TextField
          label="Tried after"
          type="datetime-local"
          value={localOf(since)}
          onChange={(text) => onChange({ since: timeOf(text) })}
        />
        <TextField
          label="Tried before"
          type="datetime-local"
          value={localOf(until)}
          onChange={(text) => onChange({ until: timeOf(text) })}
        />
        {isFiltered && (
          <Button kind="quiet" onPress={clear}>
            Show all
          </Button>
        )}
      </Toolbar>
      {(fingerprint !== undefined || run !== undefined || record !== undefined) && (
        <ul className={styles.chips} aria-label="Only these">
          {fingerprint !== undefined && (
            <Chip what="the group" onRemove={() => onChange({ fingerprint: undefined, view: undefined })}>
              failed alike <CopyId id={fingerprint} />
            </Chip>
          )}
          {run !== undefined && (
            <Chip what="the run" onRemove={() => onChange({ run_id: undefined })}>
              of{" "}
              <Link to="/runs/$id" params={{ id: run }}>
                one run
              </Link>{" "}
              <CopyId id={run} />
            </Chip>
          )}
          {record !== undefined && (
            <Chip what="the record" onRemove={() => onChange({ record_id: undefined })}>
              of one record <CopyId id={record} />
            </Chip>
          )}
        </ul>
      )}
    </>
  );
}

function Chip({ what, onRemove, children }: { what: string; onRemove: () => void; children: ReactNode }) {
  return (
    <li className={styles.chip}>
      <span>{children}</span>
      <Button kind="quiet" icon={<X size={14} aria-hidden />} label={`Without ${what}`} onPress={onRemove} />
    </li>
  );
}

/** What is gone from the configuration by now may still be chosen by the URL. */
function optionsOf(ids: readonly string[], chosen: string | undefined) {
  const known = chosen === undefined || ids.includes(chosen) ? ids : [...ids, chosen];
  return [all, ...known.map((id) => ({ id, label: id }))];
}

/** Ids of the steps: those of the mapping alone where there is no pipeline. */
function stepsOf({ pipeline_spec: pipeline, mapping_spec: mapping }: Integration): readonly string[] {
  const steps = pipeline?.steps;
  if (Array.isArray(steps)) return idsOf(steps as readonly JsonObject[]);
  return mapping === undefined ? [] : ["map"];
}

function destinationsOf({ destination, destinations }: Integration): readonly string[] {
  return idsOf(destinations ?? (destination === undefined ? [] : [destination]));
}

const idsOf = (parts: readonly JsonObject[]): string[] =>
  parts.flatMap(({ id, connector }) =>
    typeof id === "string" ? [id] : typeof connector === "string" ? [connector] : [],
  );
