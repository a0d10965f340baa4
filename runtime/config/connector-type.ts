import type { ConnectorType } from "../../connectors/sdk/index.ts";
import { unknownName } from "../errors/index.ts";

/** What a type is found by. */
export type TypeVersion = Pick<ConnectorType, "type" | "version">;

const form = /^([a-z][a-z0-9-]*)(?:@(\d+(?:\.\d+(?:\.\d+(?:[-+][0-9A-Za-z.+-]+)?)?)?))?$/;

/** Of `NAME`, or `NAME@1`, `NAME@1.2`, `NAME@1.2.0`; undefined for what is neither. */
export function parseTypeReference(
  text: string,
): { readonly name: string; readonly pin: string | undefined } | undefined {
  const [, name, pin] = form.exec(text) ?? [];
  return name === undefined ? undefined : { name, pin };
}

/** `postgres` of `postgres@1.2`. */
export const typeName = (reference: string): string => reference.split("@", 1)[0] as string;

/** The newest version that the reference allows: one before its release (1.0.0-rc.1) only where it is pinned, or alone. */
export function findType<T extends TypeVersion>(types: readonly T[], reference: string): T | undefined {
  const { name, pin } = parseTypeReference(reference) ?? { name: reference, pin: undefined };
  const fits = types
    .filter(({ type, version }) => type === name && (pin === undefined || isWithin(version, pin)))
    .sort((a, b) => compareVersions(b.version, a.version));
  return fits.find(({ version }) => !isEarly(version)) ?? fits[0];
}

/** Says which of name and version is not there. */
export function unknownType(types: readonly TypeVersion[], reference: string): string {
  const { name, pin } = parseTypeReference(reference) ?? { name: reference, pin: undefined };
  const versions = types.filter(({ type }) => type === name).map(({ version }) => version);
  if (versions.length === 0) return unknownName("connector type", name, [...new Set(types.map(({ type }) => type))]);
  return `there is no version ${pin} of the connector type ${name}; there is ${versions.sort(compareVersions).join(", ")}`;
}

/** Semantic versions, the lower first. */
export function compareVersions(a: string, b: string): number {
  const [one, other] = [partsOf(a), partsOf(b)];
  for (let i = 0; i < 3; i++) {
    const difference = (one.numbers[i] ?? 0) - (other.numbers[i] ?? 0);
    if (difference !== 0) return difference;
  }
  if (one.early === undefined || other.early === undefined) {
    return Number(one.early === undefined) - Number(other.early === undefined);
  }
  return compareEarly(one.early.split("."), other.early.split("."));
}

function compareEarly(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [one, other] = [a[i], b[i]];
    if (one === undefined || other === undefined) return one === undefined ? -1 : 1;
    if (one === other) continue;
    const numeric = [one, other].map((part) => /^\d+$/.test(part));
    if (numeric[0] && numeric[1]) return Number(one) - Number(other);
    if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
    return one < other ? -1 : 1;
  }
  return 0;
}

function partsOf(version: string): { readonly numbers: readonly number[]; readonly early: string | undefined } {
  const [core, early] = (version.split("+", 1)[0] as string).split(/-(.*)/s);
  return { numbers: (core as string).split(".").map(Number), early: early || undefined };
}

const isEarly = (version: string): boolean => partsOf(version).early !== undefined;

function isWithin(version: string, pin: string): boolean {
  if (version === pin || version.split("+", 1)[0] === pin) return true;
  return pin.split(".").length < 3 && version.startsWith(`${pin}.`);
}
