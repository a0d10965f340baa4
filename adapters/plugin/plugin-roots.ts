import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { SluiceError } from "../../runtime/errors/index.ts";

/**
 * The program's file, where it is one that this node may run: below one of the roots, links resolved. Throws
 * VALIDATION_ERROR otherwise: who may use the API may not therefore run whatever is on this machine.
 */
export async function allowedProgram(program: string, roots: readonly string[]): Promise<string> {
  const candidates = path.isAbsolute(program) ? [program] : roots.map((root) => path.join(root, program));
  const real = (await Promise.all(candidates.map((file) => realpath(file).catch(() => undefined)))).find(
    (file) => file !== undefined,
  );
  const folders = await Promise.all(roots.map((root) => realpath(root).catch(() => root)));
  // One that is outside is not said to be there or not.
  if (real === undefined ? !candidates.some((file) => isBelow(file, roots)) : !isBelow(real, folders)) {
    const where = roots.length === 0 ? "none" : roots.join(", ");
    throw refused(
      `${program} is not below the folders whose programs may be run (${where}); SLUICE_PLUGIN_ROOTS sets them`,
    );
  }
  if (real === undefined) throw refused(`there is no ${candidates.join(", and no ")}`);
  if (!(await stat(real)).isFile()) throw refused(`${real} is no file`);
  await access(real, constants.X_OK).catch(() => {
    throw refused(`${real} may not be executed (chmod +x)`);
  });
  return real;
}

function isBelow(file: string, folders: readonly string[]): boolean {
  return folders.some((folder) => {
    const rest = path.relative(folder, file);
    return rest !== "" && rest !== ".." && !rest.startsWith(`..${path.sep}`) && !path.isAbsolute(rest);
  });
}

function refused(why: string): SluiceError {
  return new SluiceError("VALIDATION_ERROR", why, [{ path: "command[0]", message: why }]);
}
