import type { Session } from "./session.ts";

/** Two that make the same table at once collide in the catalog although both say IF NOT EXISTS. */
export async function ifNotThere(session: Session, sql: string): Promise<void> {
  const collisions = ["23505", "42P07", "42701", "40P01"];
  for (let attempt = 1; ; attempt++) {
    try {
      await session.rows(sql);
      return;
    } catch (error) {
      if (attempt === 5 || !(error instanceof Error && "code" in error && collisions.includes(String(error.code))))
        throw error;
    }
  }
}
