import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api } from "../../api/client.ts";
import { type Problem, toProblem } from "../../api/problem.ts";
import type { Integration } from "../../api/types.ts";
import { toast } from "../../components/toast.tsx";
import { configText, parseConfig } from "../integration/config-text.ts";
import { configurationOf, type EditedVersion } from "../integration/edited-version.ts";
import { type Config, type Place, placesOf, rebased, withRules } from "./places.ts";
import { parseRules, rulesText } from "./rules-text.ts";

/** What keeps rules from being saved. */
export interface Refused {
  readonly problem: Problem;
  /** Whether they can be saved all the same. */
  readonly isBreak: boolean;
}

/** The rules of an integration while somebody changes them, of all its steps together. `current`: as is known of the server. */
export function useDraft(id: string, current: EditedVersion) {
  const client = useQueryClient();
  // What the draft began as: a save changes this version or nothing.
  const [base, setBase] = useState(current);
  /** Texts that differ from what is saved, by the paths of their places. */
  const [drafts, setDrafts] = useState<Readonly<Record<string, string>>>({});
  const [refused, setRefused] = useState<(Refused & { readonly config: Config | null }) | null>(null);
  const [theirs, setTheirs] = useState<EditedVersion | null>(null);
  const saved = useMemo(() => configOf(base), [base]);
  const places = useMemo(() => placesOf(saved), [saved]);
  const isChanged = Object.keys(drafts).length > 0;
  if (!isChanged && current.version > base.version) take(current);

  const parsed = useMemo(() => parseAll(drafts), [drafts]);
  const config = useMemo(() => (parsed === null ? null : withRules(saved, parsed)), [saved, parsed]);

  function take(version: EditedVersion) {
    setBase(version);
    setDrafts({});
    setTheirs(null);
    setRefused(null);
  }

  const put = async (whole: Config, version: number, check: boolean) => {
    try {
      const changed = await api.put<Integration>(`/v1/integrations/${id}`, whole, { version, query: { check } });
      take(await configurationOf(id));
      client.setQueryData(["integration", id], changed);
      toast.ok(`Saved as version ${changed.version}`);
    } catch (error) {
      const problem = toProblem(error);
      const isWrong = problem.status === 400 && problem.errors.length > 0;
      if (problem.status !== 409 && problem.status !== 412 && !isWrong) throw error;
      const latest = isWrong ? null : await configurationOf(id);
      const isTheirs = latest !== null && latest.version !== version;
      setTheirs(isTheirs ? latest : null);
      setRefused(isTheirs ? null : { problem, isBreak: !isWrong, config });
    }
  };

  const mine = useMemo(
    () => (theirs === null || parsed === null ? null : rebased(configOf(theirs), saved, parsed)),
    [theirs, saved, parsed],
  );
  return {
    base,
    /** The configuration of `base`. */
    saved,
    /** Of the saved version. */
    places,
    isChanged,
    /** Somebody else saved meanwhile. */
    isBehind: isChanged && current.version > base.version,
    /** As it would be saved; null: some of it is no JSON. */
    config,
    textOf: ({ path, rules }: Place) => drafts[path] ?? textOf(rules),
    write: ({ path, rules }: Place, text: string) => {
      const { [path]: _, ...others } = drafts;
      setDrafts(text === textOf(rules) ? others : { ...others, [path]: text });
    },
    discard: () => take(base),
    /** Over `base` alone; checked first, unless it is to be saved whatever breaks. */
    save: async ({ check }: { check: boolean }) => {
      if (config !== null) await put(config, base.version, check);
    },
    /** Of what stands there now. */
    refused: refused !== null && refused.config === config ? refused : null,
    allow: () => setRefused(null),
    /** What somebody else saved, once one looks at it. */
    theirs,
    look: () => setTheirs(current),
    close: () => setTheirs(null),
    take,
    /** What saving would make of theirs. */
    mine: mine === null ? "" : configText(mine),
    overwrite: async () => {
      if (mine !== null && theirs !== null) await put(mine, theirs.version, false);
    },
  };
}

const textOf = (rules: unknown): string => (rules === undefined ? "" : rulesText(rules));

function configOf({ text }: EditedVersion): Config {
  const parsed = parseConfig(text);
  return "value" in parsed ? parsed.value : {};
}

/** Null: one of them is no list of rules. */
function parseAll(drafts: Readonly<Record<string, string>>): Readonly<Record<string, unknown>> | null {
  const rules: Record<string, unknown> = {};
  for (const [path, text] of Object.entries(drafts)) {
    const parsed = parseRules(text);
    if ("error" in parsed) return null;
    rules[path] = parsed.rules;
  }
  return rules;
}
