import { useEffect, useState } from "react";
import { readYaml } from "../lib/yaml.ts";
import { Button } from "./button.tsx";

interface NoJsonProps {
  readonly text: string;
  /** The sentence why it is none. */
  readonly why: string;
  /** The JSON that stands for what was read as YAML; null: it is something else. */
  readonly jsonOf: (value: object) => string | null;
  readonly onTake: (json: string) => void;
}

/** Nobody stops here while typing. */
const pauseMs = 300;

/** Why a text is no JSON, or, where it is YAML, as pasted from a file, the offer to take it as that. */
export function NoJson({ text, why, jsonOf, onTake }: NoJsonProps) {
  const [read, setRead] = useState<{ readonly text: string; readonly value: object | undefined } | null>(null);
  // What begins as JSON is meant as JSON, though YAML may take it.
  const isJson = /^\s*[[{]/.test(text);
  useEffect(() => {
    if (isJson) return;
    let left = false;
    const timer = setTimeout(async () => {
      const value = await readYaml(text);
      if (!left) setRead({ text, value });
    }, pauseMs);
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [text, isJson]);
  const value = read?.text === text ? read.value : undefined;
  const json = value === undefined ? null : jsonOf(value);
  if (json === null) return <p>{why}</p>;
  return (
    <p>
      This is YAML. <Button onPress={() => onTake(json)}>Turn it into JSON</Button>
    </p>
  );
}
