/** What a way to make the binary is given; it returns the path of the binary that it made below `folder`. */
export interface MakeOptions {
  readonly version: string;
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly progress: (line: string) => void;
}
