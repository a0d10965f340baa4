import RequestQueue from "kafkajs/src/network/requestQueue/index.js";

const { scheduleCheckPendingRequests } = RequestQueue.prototype;

/**
 * After each answer kafkajs (2.2.4) sets a timer for the requests that wait, and with none it computes minus 56 years
 * for it, of which Node warns. No setting avoids it: only where there are requests that wait the timer is set.
 */
export function mendTimers(): void {
  RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
  };
}
