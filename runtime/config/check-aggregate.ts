import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { type FieldError, formatPath, joinPath, messageOf } from "../errors/index.ts";
import { type FieldPath, getField, parseFieldPath, setField } from "../mapping/index.ts";
import { parseDuration } from "./duration.ts";
import { items, object } from "./json-shape.ts";

/** Of an `aggregate` step what its schema cannot say; `emit` is checked with the other mappings. */
export function checkAggregate(path: string, step: Json): FieldError[] {
  const { key, window, measures, emit } = object(step);
  const errors: FieldError[] = [];
  const parse = (at: string, text: Json | undefined): FieldPath | undefined => {
    if (typeof text !== "string" || text === "") return undefined; // Of the wrong shape, which is said elsewhere.
    try {
      return parseFieldPath(text);
    } catch (error) {
      errors.push({ path: at, message: messageOf(error) });
      return undefined;
    }
  };

  // A record with every field that is given out: what cannot be written, or is there already, meets another field.
  const given: JsonObject = {};
  const collides = (field: FieldPath) => (getField(given, field) ?? null) !== null || !setField(given, field, true);
  for (const [index, text] of items(key).entries()) {
    const at = `${path}.key[${index}]`;
    const field = parse(at, text);
    if (field === undefined || !collides(field)) continue;
    errors.push({ path: at, message: `${text} is, holds or lies within another field of the key` });
  }
  for (const [name, measure] of Object.entries(object(measures))) {
    const at = joinPath(`${path}.measures`, formatPath([name]));
    if (name === "") errors.push({ path: at, message: "a measure needs a name: that of the field it gives" });
    // With `emit` the two stand apart.
    else if (emit === undefined && collides([name])) {
      errors.push({ path: at, message: `${name} is a field of the key already; name the measure otherwise` });
    }
    for (const [of, text] of Object.entries(object(measure))) {
      if (text === "") errors.push({ path: `${at}.${of}`, message: "a field path is not empty" });
      else parse(`${at}.${of}`, text);
    }
  }
  if (items(key).length === 0 && Object.keys(object(measures)).length === 0 && emit === undefined) {
    errors.push({ path: `${path}.key`, message: "gives nothing: it needs a key, measures or emit" });
  }
  const { duration } = object(window);
  if (typeof duration === "string" && parseDuration(duration) === 0) {
    errors.push({ path: `${path}.window.duration`, message: "must be more than 0" });
  }
  return errors;
}
