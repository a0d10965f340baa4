export {
  correlationAt,
  correlationOf,
  nearest,
  requestMeta,
  sharedCorrelation,
  traceIdOf,
  traceparentOf,
} from "./correlation.ts";
export { canonicalNumber, ExactSum, isSummable, maxSumDigits, parseSum } from "./decimal.ts";
export { describeType, endOfString, isObject, type JsonType, jsonType, parseJson, textOf } from "./json.ts";
export { type Decoded, type DecodeFailure, decodeLines, decodeText } from "./lines.ts";
export {
  compareNumbers,
  type Decimal,
  decimalOf,
  isNumber,
  isRawNumber,
  numberText,
  type RawNumber,
} from "./number.ts";
