import type { Expressions, JsonObject } from "../../connectors/sdk/index.ts";
import { getField, parseFieldPath } from "./field-path.ts";
import { text as textOf } from "./helpers.ts";
import { compileQuery } from "./query.ts";
import { compileRequest, parseRequest } from "./request.ts";
import { singularPath } from "./singular-path.ts";
import { parseTemplate } from "./template.ts";

/** The language as connectors are given it. */
export const expressions: Expressions = {
  path(text) {
    const { singular, all } = compileQuery(text);
    return singular ? (value) => all(value)[0] : (value) => all(value);
  },
  names(text) {
    const path = singularPath(text);
    return path?.every((part): part is string => typeof part === "string") ? path : undefined;
  },
  field(text) {
    const path = parseFieldPath(text);
    return (value) => getField(value, path);
  },
  template(value) {
    const request = compileRequest(parseRequest(value));
    return (context) => request.render(context as JsonObject);
  },
  text(text, encode) {
    const parts = parseTemplate(text).map((part) =>
      typeof part === "string" ? part : compileRequest({ kind: "text", template: [part] }),
    );
    return (context) => {
      let all = "";
      for (const part of parts) {
        all += typeof part === "string" ? part : encode(textOf(part.render(context as JsonObject)));
      }
      return all;
    };
  },
};
