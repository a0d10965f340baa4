import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useEffect, useState } from "react";
import { send } from "../../api/client.ts";
import { toProblem } from "../../api/problem.ts";
import { meQuery, queryClient } from "../../api/queries.ts";
import { session } from "../../api/session.ts";
import { Button } from "../../components/button.tsx";
import { TextField } from "../../components/field.tsx";
import styles from "./sign-in.module.css";

/** Signs in with an API key; then goes on to `to`, where one was going. */
export function SignIn({ to }: { to: string }) {
  const navigate = useNavigate();
  const [key, setKey] = useState("");
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    document.title = "Sign in · sluice";
  }, []);

  const signIn = async () => {
    const given = key.trim();
    if (given === "") return setError("Paste a key.");
    try {
      const me = await (await send("/v1/me", { key: given })).json();
      queryClient.clear();
      queryClient.setQueryData(meQuery.queryKey, me);
      session.signIn(given);
      await navigate({ href: to, replace: true });
    } catch (failure) {
      const { status, message } = toProblem(failure);
      setError(status === 401 ? "The server does not know this key, or it is no longer good." : message);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void signIn();
  };
  return (
    <main className={styles.page}>
      <form className={styles.form} onSubmit={submit}>
        <h1>Sign in to sluice</h1>
        <TextField
          label="API key"
          type="password"
          name="key"
          value={key}
          onChange={(value) => {
            setKey(value);
            setError(null);
          }}
          error={error}
          autoComplete="off"
          autoFocus
          isMono
        />
        <Button kind="primary" onPress={signIn}>
          Sign in
        </Button>
        <p className="soft">
          On your own machine the key is in the file <code>.sluice/token</code>. Keys for others are made by who has the
          role admin. The key stays in this tab.
        </p>
        <input type="submit" hidden />
      </form>
    </main>
  );
}
