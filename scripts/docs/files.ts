import { readFile } from "node:fs/promises";
import { createValidator } from "../../adapters/json-schema/index.ts";
import { connectorTypes } from "../../cli/connector-types.ts";
import { promises } from "../../cli/guarantees/index.ts";
import { publishedSchema } from "../../runtime/config/index.ts";
import { publishedTestSchema } from "../../runtime/testing/index.ts";
import { apiTypes } from "./api-types.ts";
import { certificationPage } from "./certification.ts";
import { withPromises } from "./promises.ts";
import { referencePage } from "./reference.ts";

const how = "Generated from the definitions by `npm run docs`; not to be edited.";

/** The generated files' texts, by their paths in the clone. */
export async function generatedFiles(): Promise<Record<string, string>> {
  const schema = { $comment: how, ...publishedSchema(connectorTypes, createValidator()) };
  const guarantees = await readFile(new URL("../../docs/guarantees.md", import.meta.url), "utf8");
  return {
    "console/src/api/gen/types.ts": `// ${how}\n\n${apiTypes()}`,
    "docs/guarantees.md": withPromises(guarantees, Object.values(promises)),
    "docs/schema/sluice.schema.json": `${JSON.stringify(schema, null, 2)}\n`,
    "docs/schema/sluice-tests.schema.json": `${JSON.stringify({ $comment: how, ...publishedTestSchema() }, null, 2)}\n`,
    "docs/connectors/certification.md": `<!-- ${how} -->\n\n${await certificationPage()}`,
    "docs/reference.md": `<!-- ${how} -->\n\n${await referencePage(connectorTypes)}`,
  };
}
