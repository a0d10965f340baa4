import type { JsonObject } from "../../api/types.ts";
import { Fields } from "./fields.tsx";
import type { Schema } from "./schema.ts";
import styles from "./schema-form.module.css";

interface SchemaFormProps {
  /** JSON Schema of an object. */
  readonly schema: Schema;
  readonly value: JsonObject;
  readonly onChange: (value: JsonObject) => void;
  /** Where the object stands in what is sent: `config`. */
  readonly path: string;
  /** What is wrong, by path, as a problem of the API says it. */
  readonly errors: ReadonlyMap<string, string>;
}

/**
 * A form made of a JSON Schema: descriptions below its fields, defaults in them, secrets hidden. What is not put in is
 * left out. A secret that came as *** stays so until another one is typed.
 */
export function SchemaForm({ schema, value, onChange, path, errors }: SchemaFormProps) {
  return (
    <div className={styles.fields}>
      <Fields
        schema={schema}
        value={value}
        onChange={(changed) => onChange((changed ?? {}) as JsonObject)}
        path={path}
        errors={errors}
      />
    </div>
  );
}
