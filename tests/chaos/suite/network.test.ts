import { network } from "./network.ts";
import { testInShortForm } from "./short-form.ts";

testInShortForm(network);
