import { cluster } from "./cluster.ts";
import { testInShortForm } from "./short-form.ts";

testInShortForm(cluster);
