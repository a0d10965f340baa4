import { crashPoints } from "./crash-points.ts";
import { testInShortForm } from "./short-form.ts";

testInShortForm(crashPoints);
