import * as values from "./jsonpath/values.ts";

/**
 * Collects the JavaScript of one compilation. Texts of a user reach it as `JSON.stringify` literals or as constants
 * only, never as code.
 */
export class Emitter {
  private readonly functions: string[] = [];
  private readonly constants: unknown[] = [];
  private count = 0;

  /** A name that nothing else has. */
  name(prefix: string): string {
    return `${prefix}${this.count++}`;
  }

  /** The name of a value that the code uses. */
  constant(value: unknown): string {
    this.constants.push(value);
    return `k${this.constants.length - 1}`;
  }

  function(name: string, parameters: string, body: string): void {
    this.functions.push(`function ${name}(${parameters}) {\n${body}\n}`);
  }

  /** What an expression over the compiled functions gives, such as the name of one. */
  build<F>(expression: string, helpers: object = {}): F {
    const scope = { ...values, ...helpers };
    const names = this.constants.map((_value, index) => `k${index}`);
    const source = `"use strict";
const {${Object.keys(scope).join(",")}} = scope;
const [${names.join(",")}] = constants;
${this.functions.join("\n")}
return ${expression};`;
    return new Function("scope", "constants", source)(scope, this.constants) as F;
  }
}
