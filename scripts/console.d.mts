export function buildConsole(node: string): Promise<void>;
export function firstLoadKb(): number;
