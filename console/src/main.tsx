import "./theme.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./api/queries.ts";
import { session } from "./api/session.ts";
import { theme } from "./layout/theme.ts";
import { router } from "./routes.tsx";

theme.apply();
// Whoever is signed out, by hand or by a 401, is led to the form, and from there back.
session.onChange(() => {
  if (session.key !== null) return;
  queryClient.clear();
  void router.invalidate();
});
createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
