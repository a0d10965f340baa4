export { addConsole, assetsUrl } from "./console.ts";
