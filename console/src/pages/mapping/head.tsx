import { Link } from "@tanstack/react-router";

export const titleOf = (name: string): string => `Mapping of ${name}`;

export const crumbs = (id: string, name: string) => [
  <Link key="overview" to="/">
    Integrations
  </Link>,
  <Link key="integration" to="/integrations/$id" params={{ id }}>
    {name}
  </Link>,
];
