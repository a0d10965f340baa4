import { lostData } from "./lost-data.ts";
import { testInShortForm } from "./short-form.ts";

testInShortForm(lostData);
