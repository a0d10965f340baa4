import { expect, test } from "vitest";
import { VirtualClock } from "../../runtime/ports/virtual-clock.ts";
import { DiskSpace } from "./disk-space.ts";

const MiB = 1024 * 1024;
const signal = new AbortController().signal;

async function watching(size: number, free: number) {
  const clock = new VirtualClock();
  const disk = { size, free };
  const space = new DiskSpace({ folder: "/data", clock, measure: async () => ({ ...disk }) });
  await space.start();
  return { clock, disk, space };
}

test("sources pause when less than 512 MiB are free, and go on when there is half as much more", async () => {
  const { clock, disk, space } = await watching(1_000_000 * MiB, 600 * MiB);
  expect(space.reason).toBeNull();
  await space.available(signal);

  disk.free = 511 * MiB;
  await clock.advance(500);
  expect(space.reason).toBe("the disk of /data is nearly full: 511 MiB are free, sources go on from 512 MiB");
  let waits = true;
  const waiting = space.available(signal).then(() => {
    waits = false;
  });

  disk.free = 700 * MiB;
  await clock.advance(500);
  expect(waits).toBe(true);
  expect(space.reason).toContain("768 MiB");

  disk.free = 768 * MiB;
  await clock.advance(500);
  await waiting;
  expect(space.reason).toBeNull();
  space.stop();
});

test("of a small disk a twentieth is enough", async () => {
  const { clock, disk, space } = await watching(1000 * MiB, 50 * MiB);
  expect(space.reason).toBeNull();
  disk.free = 49 * MiB;
  await clock.advance(500);
  expect(space.reason).toContain("49 MiB are free");
  space.stop();
});

test("whoever waits for space leaves by its signal", async () => {
  const { space } = await watching(1000 * MiB, 1 * MiB);
  const controller = new AbortController();
  const waiting = space.available(controller.signal);
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  await expect(space.available(controller.signal)).rejects.toThrow("enough");
  space.stop();
});

test("a disk that cannot be measured holds nobody up", async () => {
  const measure = () => Promise.reject(new Error("no such folder"));
  const space = new DiskSpace({ folder: "/gone", clock: new VirtualClock(), measure });
  await space.start();
  expect(space.reason).toBeNull();
  space.stop();
});

test("the disk of this machine is measured", async () => {
  const space = new DiskSpace({ folder: ".", clock: new VirtualClock() });
  await space.start();
  await space.available(space.reason === null ? signal : AbortSignal.abort()).catch(() => {});
  expect([null, expect.stringContaining("nearly full")]).toContainEqual(space.reason);
  space.stop();
});

test("a disk that cannot be measured any more holds nobody up", async () => {
  const clock = new VirtualClock();
  let measured: () => Promise<{ free: number; size: number }> = async () => ({ free: 0, size: 1_000_000 * MiB });
  const space = new DiskSpace({ folder: "/data", clock, measure: () => measured() });
  await space.start();
  expect(space.reason).not.toBeNull();
  const available = space.available(signal);
  measured = () => Promise.reject(new Error("no such folder"));
  await clock.advance(500);
  await available;
  expect(space.reason).toBeNull();
  space.stop();
});
