import { everything } from "./everything.ts";
import { testInShortForm } from "./short-form.ts";

testInShortForm(everything);
