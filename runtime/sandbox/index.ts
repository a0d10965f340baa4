export { checkScript, scriptText } from "./check-script.ts";
