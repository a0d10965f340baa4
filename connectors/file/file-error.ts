import { ConnectorError, type ErrorCode, type Fault } from "../sdk/index.ts";

const known: { readonly [errno: string]: readonly [ErrorCode, Fault, string] } = {
  ENOENT: ["NOT_FOUND", "destination", "does not exist"],
  ENOTDIR: ["VALIDATION_ERROR", "destination", "leads through something that is no folder"],
  EISDIR: ["VALIDATION_ERROR", "destination", "is a folder"],
  ENAMETOOLONG: ["VALIDATION_ERROR", "destination", "is too long a name"],
  ELOOP: ["VALIDATION_ERROR", "destination", "is a circle of symbolic links"],
  EACCES: ["FORBIDDEN", "destination", "may not be used by the user that sluice runs as"],
  EPERM: ["FORBIDDEN", "destination", "may not be used by the user that sluice runs as"],
  EROFS: ["FORBIDDEN", "destination", "is on a read-only file system"],
  ENOSPC: ["UNAVAILABLE", "destination", "cannot be written: the disk is full"],
  EDQUOT: ["UNAVAILABLE", "destination", "cannot be written: the disk quota is used up"],
  EFBIG: ["UNAVAILABLE", "destination", "cannot be written: the file has reached the size limit"],
  EIO: ["UNAVAILABLE", "destination", "cannot be used: the disk reports an error"],
  EMFILE: ["UNAVAILABLE", "transient", "cannot be opened: too many files are open"],
  ENFILE: ["UNAVAILABLE", "transient", "cannot be opened: too many files are open"],
};

/** What the operating system says about `path`, as a connector's error; anything else comes back as it is. */
export function fileError(error: unknown, path: string, setting: string): unknown {
  const errno = error instanceof Error && "code" in error ? String(error.code) : "";
  const [code, fault, what] = known[errno] ?? [];
  if (code === undefined || fault === undefined) return error;
  return new ConnectorError(code, `${path} ${what}.`, { fault, path: setting, cause: error });
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
