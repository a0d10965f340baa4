import { CircleAlert, CircleCheck, X } from "lucide-react";
import {
  Button,
  Text,
  UNSTABLE_Toast as Toast,
  UNSTABLE_ToastContent as ToastContent,
  UNSTABLE_ToastQueue as ToastQueue,
  UNSTABLE_ToastRegion as ToastRegion,
} from "react-aria-components/Toast";
import type { Problem } from "../api/problem.ts";
import { buttonClass } from "./button-class.ts";
import styles from "./toast.module.css";

interface Said {
  readonly kind: "ok" | "bad";
  readonly title: string;
  readonly detail?: string | undefined;
}

const queue = new ToastQueue<Said>({ maxVisibleToasts: 3 });

/** Says what came of an action, to who reads and who listens. Failures stay until they are closed. */
export const toast = {
  ok: (title: string, detail?: string) => void queue.add({ kind: "ok", title, detail }, { timeout: 6000 }),
  problem: ({ message, code, requestId }: Problem) =>
    void queue.add({
      kind: "bad",
      title: message,
      detail: requestId === null ? code : `${code} · request ${requestId}`,
    }),
};

/** Where toasts appear; once, in the layout. */
export function Toasts() {
  return (
    <ToastRegion queue={queue} className={styles.region ?? ""}>
      {({ toast: each }) => (
        <Toast toast={each} className={`${styles.toast} ${styles[each.content.kind]}`}>
          {each.content.kind === "ok" ? <CircleCheck size={18} aria-hidden /> : <CircleAlert size={18} aria-hidden />}
          <ToastContent className={styles.content}>
            <Text slot="title">{each.content.title}</Text>
            {each.content.detail && (
              <Text slot="description" className="soft">
                {each.content.detail}
              </Text>
            )}
          </ToastContent>
          <Button slot="close" aria-label="Close" className={buttonClass("quiet", true)}>
            <X size={16} aria-hidden />
          </Button>
        </Toast>
      )}
    </ToastRegion>
  );
}
