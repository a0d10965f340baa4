export { type CastName, casts } from "./cast.ts";
export { type FailureReason, MappingFailure } from "./failure.ts";
export { deleteField, type FieldPath, getField, parseFieldPath, setField } from "./field-path.ts";
export { less } from "./jsonpath/values.ts";
export { compileMapping, type Mapping, type RecordMeta } from "./mapping.ts";
export { compilePredicate, type Predicate } from "./predicate.ts";
export { type CompiledQuery, compileQuery } from "./query.ts";
export { singularPath } from "./singular-path.ts";
