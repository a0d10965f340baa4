import { nodes } from "./nodes.ts";
import { testInShortForm } from "./short-form.ts";

testInShortForm(nodes);
