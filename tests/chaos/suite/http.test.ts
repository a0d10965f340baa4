import { http } from "./http.ts";
import { testInShortForm } from "./short-form.ts";

testInShortForm(http);
