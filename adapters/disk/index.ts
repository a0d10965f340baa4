export { DiskSpace } from "./disk-space.ts";
