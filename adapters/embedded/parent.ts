/**
 * Ends this process as soon as the launcher that started it (scripts/launch.mjs) is gone, however it went. A kill -9
 * of the launcher is then a kill of the node: what it had in hand is redelivered, as after any crash. Costs nothing
 * where there is no launcher.
 */
export function exitWithParent(): void {
  if (process.channel === undefined || process.channel === null) return;
  process.once("disconnect", () => process.exit(1));
  process.channel.unref();
}
