import { subcommand } from "../subcommand.ts";
import { correct, correctSyntax, discard, discardSyntax } from "./dlq-change.ts";
import { diff, diffSyntax, groups, groupsSyntax, list, listSyntax, show, showSyntax } from "./dlq-look.ts";
import {
  cancel,
  cancelSyntax,
  jobs,
  jobsSyntax,
  pause,
  pauseSyntax,
  replay,
  replaySyntax,
  resume,
  resumeSyntax,
} from "./dlq-replay.ts";

export const dlq = subcommand("dlq", "Looks at records that could not be delivered, and replays them.", {
  list: { summary: listSyntax.summary, run: list },
  groups: { summary: groupsSyntax.summary, run: groups },
  show: { summary: showSyntax.summary, run: show },
  diff: { summary: diffSyntax.summary, run: diff },
  correct: { summary: correctSyntax.summary, run: correct },
  discard: { summary: discardSyntax.summary, run: discard },
  replay: { summary: replaySyntax.summary, run: replay },
  jobs: { summary: jobsSyntax.summary, run: jobs },
  pause: { summary: pauseSyntax.summary, run: pause },
  resume: { summary: resumeSyntax.summary, run: resume },
  cancel: { summary: cancelSyntax.summary, run: cancel },
});
