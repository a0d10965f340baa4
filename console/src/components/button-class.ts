import styles from "./button.module.css";
import { classNames } from "./class-names.ts";

export type ButtonKind = "plain" | "primary" | "danger" | "quiet";

/** For a link that looks like a button. */
export const buttonClass = (kind: ButtonKind = "plain", isIcon = false): string =>
  classNames(styles.button, styles[kind], isIcon && styles.icon);
