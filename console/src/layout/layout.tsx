import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { Keyboard, LogOut, Menu, Monitor, Moon, Sun, Unplug, Wifi } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useConnection, useEvents } from "../api/live.ts";
import { toProblem } from "../api/problem.ts";
import { meQuery } from "../api/queries.ts";
import { session } from "../api/session.ts";
import type { Me } from "../api/types.ts";
import { Button } from "../components/button.tsx";
import { ErrorState, Skeleton } from "../components/states.tsx";
import { KeyHelp } from "./key-help.tsx";
import { type Keys, useKeys } from "./keys.ts";
import styles from "./layout.module.css";
import { MeContext } from "./me.ts";
import { navigation } from "./navigation.ts";
import { theme, useTheme } from "./theme.ts";

/** The frame around every page, for who is signed in. */
export function Layout() {
  const { data: me, error, refetch } = useQuery(meQuery);
  if (me) return <Frame me={me} />;
  return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton />;
}

function Frame({ me }: { me: Me }) {
  useEvents();
  const navigate = useNavigate();
  const [isHelpOpen, setHelpOpen] = useState(false);
  const places = useMemo(() => navigation.filter(({ scope }) => !scope || me.scopes.includes(scope)), [me]);
  const keys = useMemo<Keys>(
    () => ({
      "/": () => document.querySelector<HTMLElement>("[data-search]")?.focus(),
      "?": () => setHelpOpen(true),
      ...Object.fromEntries(places.map(({ key, to }) => [`g ${key}`, () => void navigate({ to })])),
    }),
    [places, navigate],
  );
  useKeys(keys);
  return (
    <MeContext value={me}>
      <div className={styles.layout}>
        <a className={styles.skip} href="#content">
          Skip to content
        </a>
        <Sidebar me={me} places={places} onHelp={() => setHelpOpen(true)} />
        <Main />
        <Lost />
        <KeyHelp places={places} isOpen={isHelpOpen} onClose={() => setHelpOpen(false)} />
      </div>
    </MeContext>
  );
}

/** A new page is read from its start. */
function Main() {
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const shown = useRef(pathname);
  useEffect(() => {
    if (shown.current === pathname) return;
    shown.current = pathname;
    main.current?.focus();
    main.current?.scrollTo(0, 0);
  }, [pathname]);
  return (
    <main ref={main} id="content" tabIndex={-1} className={styles.main}>
      <Outlet />
    </main>
  );
}

function Sidebar({ me, places, onHelp }: { me: Me; places: typeof navigation; onHelp: () => void }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <header className={styles.sidebar}>
      <div className={styles.top}>
        <Link to="/" className={styles.logo}>
          <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
            <rect width="32" height="32" rx="7" />
            <path d="M6 11h9l-4 5h10l-4 5h9" />
          </svg>
          sluice
        </Link>
        <Live />
        <button
          type="button"
          className={styles.menu}
          aria-expanded={isOpen}
          aria-controls="navigation"
          aria-label="Menu"
          onClick={() => setOpen(!isOpen)}
        >
          <Menu size={18} aria-hidden />
        </button>
      </div>
      <div id="navigation" className={styles.folds} data-open={isOpen}>
        <nav aria-label="Pages">
          <ul className={styles.places}>
            {places.map(({ to, name, icon: Icon }) => (
              <li key={to}>
                <Link
                  to={to}
                  className={styles.place}
                  activeOptions={{ exact: to === "/", includeSearch: false }}
                  onClick={() => setOpen(false)}
                >
                  <Icon size={16} aria-hidden />
                  {name}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <div className={styles.foot}>
          <p className={styles.me} title={me.owner === null ? undefined : `team ${me.owner}`}>
            <span className="cut">{me.name}</span>
            <span className="soft">{me.role ?? "by scopes"}</span>
          </p>
          <ThemeSwitch />
          <Button kind="quiet" icon={<Keyboard size={16} aria-hidden />} label="Keys (?)" onPress={onHelp} />
          <Button kind="quiet" icon={<LogOut size={16} aria-hidden />} label="Sign out" onPress={session.signOut} />
        </div>
      </div>
    </header>
  );
}

/** Whether what is shown is of now. */
function Live() {
  const connection = useConnection();
  const [Icon, word] = connection === "lost" ? [Unplug, "offline"] : [Wifi, connection];
  return (
    <output className={styles.live} data-connection={connection} aria-label={`Live updates: ${word}`}>
      <Icon size={13} aria-hidden />
      {word}
    </output>
  );
}

/** So long a connection is made again without a word. */
const blinkMs = 2_000;

/** That what is shown may be of earlier, wherever one looks. */
function Lost() {
  const isLost = useConnection() === "lost";
  const [isShown, show] = useState(false);
  useEffect(() => {
    if (!isLost) return;
    const timer = setTimeout(() => show(true), blinkMs);
    return () => {
      clearTimeout(timer);
      show(false);
    };
  }, [isLost]);
  return (
    <div role="status" className={styles.lost}>
      {isShown && (
        <p>
          <Unplug size={16} aria-hidden />
          The server is not heard of. What you see may be out of date, and is brought up to date once it is back.
        </p>
      )}
    </div>
  );
}

const themes = {
  system: [Monitor, "As the system has it", "light"],
  light: [Sun, "Light", "dark"],
  dark: [Moon, "Dark", "system"],
} as const;

function ThemeSwitch() {
  const current = useTheme();
  const [Icon, name, next] = themes[current];
  return (
    <Button
      kind="quiet"
      icon={<Icon size={16} aria-hidden />}
      label={`Theme: ${name}`}
      onPress={() => theme.choose(next)}
    />
  );
}
