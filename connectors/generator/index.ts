import {
  type Connector,
  type ConnectorType,
  inferSchema,
  type Json,
  type Source,
  type SourceOptions,
  type StreamInfo,
} from "../sdk/index.ts";
import { defaultTemplate, type GeneratorConfig, generatorConfig } from "./config.ts";
import { GeneratorSource } from "./source.ts";
import { compileTemplate, type Render } from "./template.ts";

export type { GeneratorConfig } from "./config.ts";

/** Made-up records for tests and benchmarks; see docs/connectors/generator.md. */
export const generator: ConnectorType<GeneratorConfig> = {
  type: "generator",
  version: "1.0.0",
  title: "Generator",
  description: "Makes records up from a template, at a rate, the same for the same seed, with faults on request.",
  config: generatorConfig,
  capabilities: { source: { modes: ["full", "incremental"], ownCursor: true, endless: true } },
  create: (config) => new Generator(config),
};

class Generator implements Connector {
  readonly #config: GeneratorConfig;
  #render: Render | undefined;

  constructor(config: GeneratorConfig) {
    this.#config = config;
  }

  async check(): Promise<void> {
    this.#compiled();
  }

  async discover(): Promise<StreamInfo[]> {
    const render = this.#compiled();
    const sample = Array.from({ length: 100 }, (_, index) => JSON.parse(render(index)) as Json);
    return [{ name: "records", schema: inferSchema(sample) }];
  }

  async openSource(options: SourceOptions): Promise<Source> {
    return new GeneratorSource(this.#config, this.#compiled(), options);
  }

  async close(): Promise<void> {}

  #compiled(): Render {
    this.#render ??= sized(
      compileTemplate(this.#config.template ?? defaultTemplate, this.#config.seed ?? 1),
      this.#config,
    );
    return this.#render;
  }
}

/** Fills each record up to `size` bytes with a last member `padding`. */
function sized(render: Render, { size = 0, template = defaultTemplate }: GeneratorConfig): Render {
  if (size === 0) return render;
  const opening = Object.keys(template).length > 0 ? ',"padding":"' : '"padding":"';
  const most = "x".repeat(size);
  return (index) => {
    const text = render(index);
    const missing = size - Buffer.byteLength(text) - opening.length - 1;
    return missing < 0 ? text : `${text.slice(0, -1)}${opening}${most.slice(0, missing)}"}`;
  };
}
