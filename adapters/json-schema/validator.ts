import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { Json } from "../../connectors/sdk/index.ts";
import { compileEcma } from "../../runtime/mapping/index.ts";
import type { Validate, Validator } from "../../runtime/ports/connectors.ts";
import type { RawNumber } from "../../runtime/record/index.ts";
import { constantsKeyword, exactConstants, markConstants, type Raws } from "./exact-constants.ts";
import { holdsRawNumber, numberKeywords, withDoubles } from "./exact-numbers.ts";
import { expressionErrors, expressionKeyword } from "./expression-errors.ts";
import { toFieldErrors } from "./field-errors.ts";
import { refuseExplosion } from "./refuse-explosion.ts";
import { uniqueItems } from "./unique-items.ts";
import { markReferences, TooMuchWork, Work, workKeyword } from "./work.ts";

const noRaws: Raws = new Map();

/**
 * JSON Schema 2020-12 by Ajv: every error is reported, and no value is ever changed or coerced. Numbers are integers or
 * not, within bounds, and equal, by their exact values.
 */
export function createValidator(): Validator {
  /** Of the value that is being checked, by JSON Pointer. */
  let raws = noRaws;
  const work = new Work();
  const newAjv = () =>
    createAjv(
      (value, at, limit, holds) => holds(raws.size === 0 ? value : (raws.get(at) ?? value), limit),
      () => raws,
      work,
    );
  const shared = newAjv();
  const compiled = new WeakMap<object, Validate>();

  function compile(schema: object | boolean): Validate {
    const known = typeof schema === "object" ? compiled.get(schema) : undefined;
    if (known) return known;
    // Ajv keeps what has an $id for all its schemas: those of two steps may have the same.
    const ajv = JSON.stringify(schema).includes('"$id"') ? newAjv() : shared;
    ajv.validateSchema(withDoubles(schema as Json, new Map()) as object | boolean, true);
    refuseExplosion(schema);
    const own = withDoubles(markConstants(schema as Json), new Map(), (field) => field in numberKeywords);
    markReferences(own);
    const check = ajv.compile(own as object);
    const errorsOf = (value: Json) => {
      work.begin();
      try {
        return check(value) ? [] : toFieldErrors(check.errors ?? [], value);
      } catch (error) {
        if (error instanceof TooMuchWork) return [{ path: "", message: error.message }];
        throw error;
      }
    };
    const validate: Validate = (value) => {
      if (!holdsRawNumber(value)) return errorsOf(value);
      const found = new Map<string, RawNumber>();
      const copy = withDoubles(value, found);
      raws = found;
      try {
        return errorsOf(copy);
      } finally {
        raws = noRaws;
      }
    };
    if (typeof schema === "object") compiled.set(schema, validate);
    return validate;
  }
  return { compile, formats: new Set(Object.keys(shared.formats)) };
}

/** No text makes a pattern hold the thread up. */
function regExp(pattern: string) {
  const compiled = compileEcma(pattern);
  // Ajv knows them apart by their texts.
  return { test: (text: string) => compiled.test(text), toString: () => pattern };
}
regExp.code = "compilePattern";

/** Characters of a URL. */
const urlMax = 8_192;

type Holds = (value: number | RawNumber, limit: number | RawNumber) => boolean;

function createAjv(
  ask: (value: number, pointer: string, limit: number | RawNumber, holds: Holds) => boolean,
  raws: () => Raws,
  work: Work,
): Ajv2020 {
  const ajv = new Ajv2020({
    allErrors: true,
    // Errors carry the schema around them, which knows the fields that exist.
    verbose: true,
    // `oneOf` by the field `type` reports the errors of the branch that was meant.
    discriminator: true,
    // Schemas come from connectors too, and may hold keywords of their own.
    strict: false,
    removeAdditional: false,
    coerceTypes: false,
    useDefaults: false,
    ownProperties: true,
    logger: false,
    code: { regExp },
    // Done before, with doubles in the place of numbers that Ajv does not know as such.
    validateSchema: false,
  });
  formats.default(ajv);
  const isUrl = formats.default.get("url") as RegExp;
  // Its expression takes the square of a text's length.
  ajv.addFormat("url", (text) => text.length <= urlMax && isUrl.test(text));
  ajv.removeKeyword("uniqueItems");
  ajv.addKeyword({
    keyword: "uniqueItems",
    type: "array",
    schemaType: "boolean",
    errors: "full",
    validate: uniqueItems(raws),
  });
  ajv.addKeyword({ keyword: constantsKeyword, schemaType: "object", errors: "full", validate: exactConstants(raws) });
  ajv.addKeyword({ keyword: workKeyword, schemaType: "boolean", errors: false, validate: work.step });
  ajv.addKeyword({ keyword: expressionKeyword, schemaType: "string", errors: "full", validate: expressionErrors });
  for (const [keyword, holds] of Object.entries(numberKeywords)) {
    ajv.removeKeyword(keyword);
    ajv.addKeyword({
      keyword,
      type: "number",
      errors: false,
      validate: (limit: number | RawNumber, value: number, _schema?: unknown, at?: { instancePath: string }) =>
        ask(value, at?.instancePath ?? "", limit, holds),
    });
  }
  return ajv;
}
