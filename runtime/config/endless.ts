/** Triggers of integrations that are read without an end, with a run for each hour. */
export type EndlessTrigger = "event" | "webhook";

export function isEndless(trigger: string): trigger is EndlessTrigger {
  return trigger === "event" || trigger === "webhook";
}
