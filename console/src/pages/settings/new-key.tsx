import { useState } from "react";
import { api } from "../../api/client.ts";
import { Problem } from "../../api/problem.ts";
import type { ApiKey, Role } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { CopyButton } from "../../components/copy-id.tsx";
import { Confirm, Dialog } from "../../components/dialog.tsx";
import { SelectField, TextField } from "../../components/field.tsx";
import { useMe } from "../../layout/me.ts";
import { roles } from "./roles.tsx";
import styles from "./settings.module.css";

const lifetimes = [
  { id: "never", label: "Never" },
  { id: "1", label: "In a day" },
  { id: "30", label: "In 30 days" },
  { id: "90", label: "In 90 days" },
  { id: "365", label: "In a year" },
] as const;

/** Makes a key, and shows it this once. */
export function NewKey({ onMade, onClose }: { onMade: () => unknown; onClose: () => void }) {
  const { owner } = useMe();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [team, setTeam] = useState("");
  const [expires, setExpires] = useState<(typeof lifetimes)[number]["id"]>("90");
  const [made, setMade] = useState<(ApiKey & { readonly key: string }) | null>(null);
  const [wrong, setWrong] = useState<Readonly<Record<string, string>>>({});

  const make = async () => {
    const days = expires === "never" ? null : Number(expires);
    const body = {
      name: name.trim(),
      role,
      ...(team.trim() !== "" && { owner: team.trim() }),
      ...(days !== null && { expires_at: new Date(Date.now() + days * 86_400_000).toISOString() }),
    };
    try {
      setMade(await api.post<ApiKey & { key: string }>("/v1/api-keys", body));
    } catch (error) {
      if (!(error instanceof Problem) || error.errors.length === 0) throw error;
      setWrong(Object.fromEntries(error.errors.map(({ path, message }) => [path, message])));
      throw new Problem({ ...error, detail: "It is not made: see what the fields say.", errors: [] });
    }
    onMade();
  };
  if (made !== null) return <Shown made={made} onClose={onClose} />;
  return (
    <Confirm
      title="New key"
      action="Make the key"
      isOpen
      onClose={onClose}
      onConfirm={make}
      staysOpen
      whyNot={name.trim() === "" ? "It needs a name" : null}
    >
      <TextField
        label="Name"
        help="What it is for; it stands in the audit log."
        value={name}
        onChange={setName}
        error={wrong.name}
        autoFocus
      />
      <SelectField label="Role" options={roles} value={role} onChange={setRole} error={wrong.role} />
      {owner === null && (
        <TextField
          label="Team"
          help="Small letters, digits and hyphens. It sees only what this team's keys have made. Left out: everything."
          value={team}
          onChange={setTeam}
          error={wrong.owner && "This is no name of a team."}
        />
      )}
      <SelectField label="Expires" options={lifetimes} value={expires} onChange={setExpires} error={wrong.expires_at} />
    </Confirm>
  );
}

function Shown({ made, onClose }: { made: ApiKey & { readonly key: string }; onClose: () => void }) {
  return (
    <Dialog
      title={`The key ${made.name}`}
      isOpen
      onClose={onClose}
      actions={
        <Button kind="primary" onPress={onClose}>
          I have kept it
        </Button>
      }
    >
      <p>This is the only time that it is shown: only its hash is kept.</p>
      <p className={styles.secret}>
        <code>{made.key}</code>
        <CopyButton text={made.key} label="Copy the key" />
      </p>
    </Dialog>
  );
}
