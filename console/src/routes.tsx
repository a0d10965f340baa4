import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { toProblem } from "./api/problem.ts";
import { session } from "./api/session.ts";
import type { Health } from "./api/types.ts";
import { Empty, ErrorState, Skeleton } from "./components/states.tsx";
import { Toasts } from "./components/toast.tsx";
import { Layout } from "./layout/layout.tsx";
import { oneOf, type Search, text, textsOf, urlOf } from "./lib/search.ts";
import { connectorsSearch, newConnectorSearch } from "./pages/connectors/search.ts";
import { deadLettersSearch } from "./pages/dead-letters/search.ts";
import { followSearch } from "./pages/follow/search.ts";
import { integrationSearch } from "./pages/integration/search.ts";
import { mappingSearch } from "./pages/mapping/search.ts";
import { newIntegrationSearch } from "./pages/new-integration/search.ts";
import { runSearch } from "./pages/run/search.ts";
import { settingsSearch } from "./pages/settings/search.ts";
import { SignIn } from "./pages/sign-in/sign-in.tsx";

const root = createRootRoute({
  component: () => (
    <>
      <Outlet />
      <Toasts />
    </>
  ),
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: (search: Search): { to?: string | undefined } => ({ to: text(search.to) }),
  component: function SignInRoute() {
    const { to = "/" } = signIn.useSearch();
    // Only paths of this server: a link that somebody sends leads nowhere else.
    return <SignIn to={/^\/(?![/\\])/.test(to) ? to : "/"} />;
  },
});

const signedIn = createRoute({
  getParentRoute: () => root,
  id: "signed-in",
  beforeLoad: ({ location }) => {
    if (session.key !== null) return;
    throw redirect({ to: "/sign-in", search: { to: location.href === "/" ? undefined : location.href } });
  },
  component: Layout,
});

interface OverviewSearch {
  health?: Health | undefined;
  enabled?: "true" | "false" | undefined;
  search?: string | undefined;
  sort?: string | undefined;
}

const overview = createRoute({
  getParentRoute: () => signedIn,
  path: "/",
  validateSearch: (search: Search): OverviewSearch => ({
    health: oneOf(search.health, ["ok", "waiting", "degraded", "stopped"]),
    enabled: oneOf(search.enabled, ["true", "false"]),
    search: text(search.search),
    sort: text(search.sort),
  }),
  component: lazyRouteComponent(() => import("./pages/overview/overview.tsx"), "Overview"),
});

const integration = createRoute({
  getParentRoute: () => signedIn,
  path: "/integrations/$id",
  validateSearch: integrationSearch,
  component: lazyRouteComponent(() => import("./pages/integration/integration.tsx"), "Integration"),
});

const mapping = createRoute({
  getParentRoute: () => signedIn,
  path: "/integrations/$id/mapping",
  validateSearch: mappingSearch,
  component: lazyRouteComponent(() => import("./pages/mapping/mapping.tsx"), "Mapping"),
});

const run = createRoute({
  getParentRoute: () => signedIn,
  path: "/runs/$id",
  validateSearch: runSearch,
  component: lazyRouteComponent(() => import("./pages/run/run.tsx"), "Run"),
});

const deadLetters = createRoute({
  getParentRoute: () => signedIn,
  path: "/integrations/$id/dead-letters",
  validateSearch: deadLettersSearch,
  component: lazyRouteComponent(() => import("./pages/dead-letters/dead-letters.tsx"), "DeadLetters"),
});

const deadLettersEverywhere = createRoute({
  getParentRoute: () => signedIn,
  path: "/dead-letters",
  validateSearch: (search: Search): { search?: string | undefined } => ({ search: text(search.search) }),
  component: lazyRouteComponent(() => import("./pages/dead-letters/everywhere.tsx"), "DeadLettersEverywhere"),
});

const follow = createRoute({
  getParentRoute: () => signedIn,
  path: "/follow",
  validateSearch: followSearch,
  component: lazyRouteComponent(() => import("./pages/follow/follow.tsx"), "Follow"),
});

const connectors = createRoute({
  getParentRoute: () => signedIn,
  path: "/connectors",
  validateSearch: connectorsSearch,
  component: lazyRouteComponent(() => import("./pages/connectors/connectors.tsx"), "Connectors"),
});

const connector = createRoute({
  getParentRoute: () => signedIn,
  path: "/connectors/$id",
  component: lazyRouteComponent(() => import("./pages/connectors/connector.tsx"), "Connector"),
});

const newConnector = createRoute({
  getParentRoute: () => signedIn,
  path: "/connectors/new",
  validateSearch: newConnectorSearch,
  component: lazyRouteComponent(() => import("./pages/connectors/new-connector.tsx"), "NewConnector"),
});

const editConnector = createRoute({
  getParentRoute: () => signedIn,
  path: "/connectors/$id/edit",
  component: lazyRouteComponent(() => import("./pages/connectors/edit-connector.tsx"), "EditConnector"),
});

const newIntegration = createRoute({
  getParentRoute: () => signedIn,
  path: "/new",
  validateSearch: newIntegrationSearch,
  component: lazyRouteComponent(() => import("./pages/new-integration/new-integration.tsx"), "NewIntegration"),
});

const settings = createRoute({
  getParentRoute: () => signedIn,
  path: "/settings",
  validateSearch: settingsSearch,
  component: lazyRouteComponent(() => import("./pages/settings/settings.tsx"), "Settings"),
});

/** All pages. What a page shows besides its path stands in the search of its URL, as plain texts. */
export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    signedIn.addChildren([
      overview,
      integration,
      mapping,
      deadLetters,
      deadLettersEverywhere,
      run,
      follow,
      connectors,
      newConnector,
      connector,
      editConnector,
      newIntegration,
      settings,
    ]),
  ]),
  parseSearch: textsOf,
  stringifySearch: urlOf,
  defaultPreload: "intent",
  defaultPendingComponent: () => <Skeleton lines={6} />,
  defaultErrorComponent: ({ error, reset }) => <ErrorState problem={toProblem(error)} onRetry={reset} />,
  defaultNotFoundComponent: () => (
    <Empty title="There is no such page">
      <a href="/">To the overview</a>
    </Empty>
  ),
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
