import { kills } from "./kills.ts";
import { testInShortForm } from "./short-form.ts";

testInShortForm(kills);
