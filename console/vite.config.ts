import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The node that `npx vite console` shows, for who works on the console. */
const node = process.env.SLUICE_URL ?? "http://127.0.0.1:7400";

export default defineConfig(({ command }) => ({
  plugins: [react()],
  build: {
    manifest: "manifest.json",
    // Icons and fonts as files: the page's policy lets no data: URL be a font.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    // Browsers since 2024, which have light-dark(): what stands in for it elsewhere does not hear of a changed scheme.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
  },
  // The gateway puts another one in for each page that it serves.
  ...(command === "build" && { html: { cspNonce: "{nonce}" } }),
  server: { host: "127.0.0.1", proxy: { "/v1": node, "/openapi.json": node, "/readyz": node } },
}));
