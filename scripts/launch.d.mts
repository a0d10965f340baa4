export function launch(program: string, args: readonly string[]): Promise<void>;
export function runChild(node: string, args: readonly string[]): void;
export const SERVER_NODE_ARGS: readonly string[];
